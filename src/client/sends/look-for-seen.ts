import { Deadline } from "../patience.ts";
import { persist } from "../persist.ts";
import type { Message, Receipts } from "../views.ts";
import type { DeliverDeps } from "./deliver.ts";
import type { Seen } from "./witness.ts";

/** While no feed is live: the first question after so long, each later one after twice as long. */
const LOOK_AFTER_MS = 1_000;
const LOOK_MOST_MS = 30_000;

/** Until somebody else has seen it: a live feed tells; without one, who saw it is asked now and then. */
export async function lookForSeen(message: Message, deps: DeliverDeps): Promise<Seen> {
  const { witness, door, patience, closed } = deps;
  const work = new Deadline(undefined, closed, door.sessions.life);
  const { signal } = work;
  const path = `/v1/messages/${message.id}/receipts`;
  const ask = () => door.ask<Receipts>("GET", path, { signal });
  try {
    for (let afterMs = LOOK_AFTER_MS; ; afterMs = Math.min(LOOK_MOST_MS, afterMs * 2)) {
      await witness.untilSeen(message, witness.isLive ? LOOK_MOST_MS : afterMs, signal);
      const told = witness.seenBy(message);
      if (told) return told;
      const { body } = await persist(ask, { patience, signal });
      const first = body.receipts.find(({ user_id }) => user_id !== message.sender.id);
      if (first) return { userId: first.user_id, at: first.seen_at };
    }
  } finally {
    work.abort();
    work.release();
  }
}
