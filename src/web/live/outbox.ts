import type { SendHandle } from "../../client/index.ts";
import { client, problemOf } from "../client.ts";
import { applyMessage } from "../state/apply.ts";
import type { Outgoing, Target } from "../state/state.ts";
import { readJson, storage } from "../storage.ts";
import { noteTimes } from "./send-times.ts";
import { change, state, untilLoaded } from "./store.ts";

const handles = new Map<string, SendHandle>();

/** What is not stored yet is kept beside the page, so that a reload loses none of it; its key makes sure of once. */
const nameOf = (key = ""): string => `parley.outbox.${state.value.meId}.${key}`;

type Kept = Pick<Outgoing, "target" | "text" | "at">;

const keep = (key: string, kept: Kept): void => storage.setItem(nameOf(key), JSON.stringify(kept));
const keptUnder = (name: string): Kept | undefined =>
  readJson<Kept>(
    storage.getItem(name),
    ({ target, text, at }) => typeof target === "object" && typeof text === "string" && typeof at === "string",
  );

export function send(to: Target, text: string): void {
  const kept = { target: to, text, at: new Date().toISOString() };
  const handle = client.send(to, text);
  keep(handle.clientKey, kept);
  track(handle, kept);
}

/** What a page before this one has left behind goes out again, in its order. */
export function sendLeftBehind(): void {
  const names = storage.names().filter((name) => name.startsWith(nameOf()));
  const found = names.flatMap((name) => {
    const kept = keptUnder(name);
    return kept ? [{ clientKey: name.slice(nameOf().length), kept }] : [];
  });
  for (const { clientKey, kept } of found.sort((a, b) => (a.kept.at < b.kept.at ? -1 : 1))) {
    track(client.send(kept.target, kept.text, { clientKey }), kept);
  }
}

export function retry(key: string): void {
  const handle = handles.get(key);
  const outgoing = state.value.outbox.find((one) => one.key === key);
  if (!handle || !outgoing) return;
  drop(key);
  handle.retry();
  const kept = { target: outgoing.target, text: outgoing.text, at: new Date().toISOString() };
  keep(handle.clientKey, kept);
  track(handle, kept);
}

/** Whoever has read that it failed may be done with it. */
export function drop(key: string): void {
  handles.delete(key);
  storage.removeItem(nameOf(key));
  change((now) => ({ ...now, outbox: now.outbox.filter((one) => one.key !== key) }));
}

/** They end with the session; what is kept goes out when the same person signs in again. */
export const forgetSends = (): void => handles.clear();

function track(handle: SendHandle, kept: Kept): void {
  const key = handle.clientKey;
  const name = nameOf(key);
  const since = performance.now();
  const elapsed = (): number => performance.now() - since;
  handles.set(key, handle);
  change((now) => ({ ...now, outbox: [...now.outbox, { key, ...kept, state: "sending" }] }));
  handle.accepted.then(
    () => {
      noteTimes({ acceptedMs: elapsed() });
      update(key, { state: "accepted" });
    },
    () => {}, // `stored` says so too
  );
  handle.stored.then(
    async (message) => {
      noteTimes({ storedMs: elapsed() });
      storage.removeItem(name);
      if (handles.get(key) !== handle) return; // somebody else has signed in
      handles.delete(key);
      await untilLoaded();
      // A room that the snapshot did not hold is about to be told of by the feed, and so is this message.
      if (state.value.rooms.has(message.room_id)) change((now) => applyMessage(now, message));
    },
    (error: unknown) => {
      if (handles.get(key) === handle) update(key, { state: "failed", problem: problemOf(error) });
    },
  );
}

function update(key: string, fields: Partial<Outgoing>): void {
  change((now) => ({ ...now, outbox: now.outbox.map((one) => (one.key === key ? { ...one, ...fields } : one)) }));
}
