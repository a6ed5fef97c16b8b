import { computed, signal } from "@preact/signals";
import type { Target } from "./state/state.ts";

/** Which conversation is open stands in the address, so that it survives a reload and another sign-in. */
const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

export const target = computed<Target | undefined>(() => {
  const [, kind, id] = /^#\/(rooms|people)\/(\d{1,15})$/.exec(hash.value) ?? [];
  if (id === undefined) return undefined;
  return kind === "rooms" ? { room: Number(id) } : { to: Number(id) };
});

export const linkTo = (to: Target | undefined): string =>
  to === undefined ? "#/" : "room" in to ? `#/rooms/${to.room}` : `#/people/${to.to}`;

export function goTo(to: Target | undefined): void {
  location.hash = linkTo(to);
  hash.value = location.hash;
}

/** The same conversation under its lasting name: the way back does not lead over the old one. */
export function replaceWith(to: Target): void {
  history.replaceState(null, "", linkTo(to));
  hash.value = location.hash;
}
