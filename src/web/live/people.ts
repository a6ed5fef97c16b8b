import { signal } from "@preact/signals";
import type { User } from "../../client/index.ts";
import { client } from "../client.ts";
import { setOnline } from "../state/apply.ts";
import { peerOf } from "../state/select.ts";
import { change, state } from "./store.ts";

/** Whoever we have come across: what they say of themselves. */
export const people = signal<ReadonlyMap<number, User>>(new Map());

function meet(users: readonly User[]): void {
  people.value = new Map([...people.value, ...users.map((user): [number, User] => [user.id, user])]);
}

/** A presence event may be missed, and a status is not told at all: they are looked at again this often. */
const LOOK_EVERY_MS = 30_000;
/** As many as one answer tells. */
const MOST_AT_ONCE = 100;
let timer: ReturnType<typeof setInterval> | undefined;

function look(): void {
  if (document.visibilityState === "visible") void lookAround().catch(() => {});
}

export function watchPeople(): void {
  look();
  timer = setInterval(look, LOOK_EVERY_MS);
  document.addEventListener("visibilitychange", look);
}

export function stopWatchingPeople(): void {
  clearInterval(timer);
  document.removeEventListener("visibilitychange", look);
  people.value = new Map();
}

/** Those one talks with, and whoever is in the list that is shown. */
async function lookAround(): Promise<void> {
  const { rooms, meId } = state.value;
  const { users } = await client.users.list({ limit: MOST_AT_ONCE });
  meet(users);
  const peers = [...rooms.values()].flatMap((room) => peerOf(room, meId)?.id ?? []);
  const ids = new Set([...peers, ...users.map((user) => user.id)]);
  await askPresence([...ids]);
  await Promise.all(
    [...ids]
      .filter((id) => !people.value.has(id))
      .slice(0, MOST_AT_ONCE)
      .map(meetOne),
  );
}

/** A user that is not there any more has no status either. */
export async function meetOne(id: number): Promise<void> {
  const user = await client.users.get(id).catch(() => undefined);
  if (user) meet([user]);
}

async function askPresence(ids: readonly number[]): Promise<void> {
  for (let from = 0; from < ids.length; from += MOST_AT_ONCE) {
    const presence = await client.presence(ids.slice(from, from + MOST_AT_ONCE));
    change((now) => setOnline(now, presence));
  }
}

export interface Found {
  readonly users: readonly User[];
  readonly next: string | null;
}

export async function findPeople(search: string, after?: string): Promise<Found> {
  const found = await client.users.list({ ...(search && { search }), ...(after && { after }), limit: 50 });
  meet(found.users);
  void askPresence(found.users.map((user) => user.id)).catch(() => {});
  return found;
}
