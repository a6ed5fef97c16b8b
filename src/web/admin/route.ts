import { computed, signal } from "@preact/signals";

export const sections = ["overview", "users", "rooms", "messages", "clients", "jobs", "actions"] as const;
export type Section = (typeof sections)[number];

export interface Place {
  readonly section: Section;
  /** What of it is open. */
  readonly id: string | undefined;
}

/** Where one is stands in the address, so that it survives a reload and can be sent to somebody. */
const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

export const place = computed<Place>(() => {
  const [, name, id] = /^#\/([a-z]+)(?:\/([\w-]{1,64}))?$/.exec(hash.value) ?? [];
  const section = sections.find((one) => one === name);
  return { section: section ?? "overview", id: section && id };
});

export const linkTo = (section: Section, id?: number | string): string =>
  id === undefined ? `#/${section}` : `#/${section}/${id}`;

export function goTo(section: Section, id?: number | string): void {
  location.hash = linkTo(section, id);
  hash.value = location.hash;
}
