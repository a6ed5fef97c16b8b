import { signal } from "@preact/signals";
import type { Problem } from "../../client/index.ts";
import { client, problemOf } from "../client.ts";
import { putDetails, putHistory } from "../state/snapshots.ts";
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

/** One load for each room at a time. */
async function load(roomId: number, work: () => Promise<void>): Promise<void> {
  if (loading.value.get(roomId) === "loading") return;
  setLoading(roomId, "loading");
  try {
    await work();
    setLoading(roomId, undefined);
  } catch (error) {
    setLoading(roomId, problemOf(error));
  }
}

/** The end of the history, and who has seen how much of it. */
export const openRoom = (roomId: number): Promise<void> =>
  load(roomId, async () => {
    const unseen = state.value.rooms.get(roomId)?.unseenCount ?? 0;
    const limit = Math.min(MOST_AT_ONCE, PAGE + unseen);
    const [page, room] = await Promise.all([client.history({ room: roomId, limit }), client.rooms.get(roomId)]);
    change((now) => putDetails(putHistory(now, roomId, page), room));
  });

export async function loadOlder(roomId: number): Promise<void> {
  const before = state.value.rooms.get(roomId)?.history?.older;
  if (!before) return;
  await load(roomId, async () => {
    const page = await client.history({ room: roomId, before, limit: PAGE });
    change((now) => putHistory(now, roomId, page));
  });
}

/** Who is in it, and what is unseen. Told by the feed too, so that nothing is lost if it fails. */
export async function loadDetails(roomId: number): Promise<void> {
  const room = await client.rooms.get(roomId).catch(() => undefined);
  if (room) change((now) => putDetails(now, room));
}
