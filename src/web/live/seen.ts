import { effect, untracked } from "@preact/signals";
import { client } from "../client.ts";
import { status } from "./connection.ts";
import { state } from "./store.ts";

/** By room: how far somebody has looked. */
const looked = new Map<number, number>();
let isBusy = false;

/** A message was on screen while the page was visible. */
export function noteLookedAt(roomId: number, seq: number): void {
  if (seq <= (looked.get(roomId) ?? 0)) return;
  looked.set(roomId, seq);
  void tell();
}

/** One mark at a time: what comes meanwhile goes with the next. */
async function tell(): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  try {
    for (let next = nextMark(); next; next = nextMark()) {
      await client.markSeen(next);
      told.set(next.room, next.upTo);
    }
  } catch {
    // It is told again when the connection is back, and whenever more is looked at.
  } finally {
    isBusy = false;
  }
}

/** What was accepted, and comes back through the feed. */
const told = new Map<number, number>();

function nextMark(): { room: number; upTo: number } | undefined {
  for (const [room, upTo] of looked) {
    const { readSeq } = state.value.rooms.get(room) ?? {};
    if (readSeq !== undefined && upTo > Math.max(readSeq, told.get(room) ?? 0)) return { room, upTo };
  }
  return undefined;
}

export function forgetLooks(): void {
  looked.clear();
  told.clear();
}

effect(() => {
  if (status.value?.state === "live") untracked(() => void tell());
});
