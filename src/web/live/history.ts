import { batch, signal } from "@preact/signals";
import type { Problem } from "../../client/index.ts";
import { client, problemOf } from "../client.ts";
import { expectHistory, expectNothing, putDetails, putHistory } from "../state/snapshots.ts";
import type { State } from "../state/state.ts";
import { change, state } from "./store.ts";

const PAGE = 50;
/** All that is unseen is loaded at once, so that one begins to read where one has stopped; up to so much. */
const MOST_AT_ONCE = 1_000;

/** By room: being loaded, or why it could not be. */
export const loading = signal<ReadonlyMap<number, "loading" | Problem>>(new Map());

function setLoading(roomId: number, what: "loading" | Problem | undefined): void {
  const next = new Map(loading.value);
  if (what === undefined) next.delete(roomId);
  else next.set(roomId, what);
  loading.value = next;
}

/**
 * One load for each room at a time. What comes when the room is another's, or was read anew, is dropped: nobody knows
 * what was told between the two.
 */
async function load(roomId: number, ask: () => Promise<(now: State) => State>): Promise<void> {
  const coming = () => state.value.rooms.get(roomId)?.coming;
  if (coming()) return;
  const asked = {};
  change((now) => expectHistory(now, roomId, asked));
  setLoading(roomId, "loading");
  let apply = (now: State): State => now;
  let problem: Problem | undefined;
  try {
    apply = await ask();
  } catch (error) {
    problem = problemOf(error);
  }
  if (coming()?.asked !== asked) return;
  batch(() => {
    change((now) => expectNothing(apply(now), roomId));
    setLoading(roomId, problem);
  });
}

/** The end of the history, and who has seen how much of it. */
export const openRoom = (roomId: number): Promise<void> =>
  load(roomId, async () => {
    const unseen = state.value.rooms.get(roomId)?.unseenCount ?? 0;
    const limit = Math.min(MOST_AT_ONCE, PAGE + unseen);
    const [page, room] = await Promise.all([client.history({ room: roomId, limit }), client.rooms.get(roomId)]);
    return (now) => putDetails(putHistory(now, roomId, page), room);
  });

export async function loadOlder(roomId: number): Promise<void> {
  const before = state.value.rooms.get(roomId)?.history?.older;
  if (!before) return;
  await load(roomId, async () => {
    const page = await client.history({ room: roomId, before, limit: PAGE });
    return (now) => putHistory(now, roomId, page);
  });
}

/** Who is in it, and what is unseen. Told by the feed too, so that nothing is lost if it fails. */
export async function loadDetails(roomId: number): Promise<void> {
  const room = await client.rooms.get(roomId).catch(() => undefined);
  if (room) change((now) => putDetails(now, room));
}
