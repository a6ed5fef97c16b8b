import { computed, effect, signal } from "@preact/signals";
import type { ConnectionStatus, Transport } from "../../client/index.ts";

export type Wish = Transport | "auto";
export const wishes: readonly Wish[] = ["auto", "websocket", "sse", "long-poll"];

const WISH_KEY = "parley.transport";
const kept = wishes.find((wish) => wish === sessionStorage.getItem(WISH_KEY));

/** Which transport was asked for: one can watch each of them work. */
export const wish = signal<Wish>(kept ?? "auto");
effect(() => sessionStorage.setItem(WISH_KEY, wish.value));

export const status = signal<ConnectionStatus | undefined>(undefined);
/** How often a connection came to be. */
export const connections = signal(0);

/** The last that came over it, the latest first. */
export const heard = signal<readonly { readonly at: Date; readonly what: string }[]>([]);
const MOST_HEARD = 6;

export function noteHeard(what: string): void {
  heard.value = [{ at: new Date(), what }, ...heard.value].slice(0, MOST_HEARD);
}

export function noteStatus(next: ConnectionStatus): void {
  if (next.state === "live" && status.value?.state !== "live") connections.value++;
  status.value = next;
}

/** Streams and polls end and begin again all the time: only what takes longer than this is worth a word. */
const PATIENCE_MS = 1_500;
const isTrouble = computed(() => status.value !== undefined && status.value.state !== "live");
export const isCutOff = signal(false);

effect(() => {
  if (!isTrouble.value) {
    isCutOff.value = false;
    return undefined;
  }
  const timer = setTimeout(() => {
    isCutOff.value = true;
  }, PATIENCE_MS);
  return () => clearTimeout(timer);
});
