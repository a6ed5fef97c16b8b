import type { SendHandle } from "../../client/index.ts";
import { client, problemOf } from "../client.ts";
import { applyMessage } from "../state/apply.ts";
import type { Outgoing, Target } from "../state/state.ts";
import { noteTimes } from "./send-times.ts";
import { change, state } from "./store.ts";

const handles = new Map<string, SendHandle>();

/** What is not stored yet is kept beside the page, so that a reload loses none of it; its key makes sure of once. */
const nameOf = (key = ""): string => `parley.outbox.${state.value.meId}.${key}`;

type Kept = Pick<Outgoing, "target" | "text" | "at">;

export function send(to: Target, text: string): void {
  const at = new Date().toISOString();
  const handle = client.send(to, text);
  localStorage.setItem(nameOf(handle.clientKey), JSON.stringify({ target: to, text, at } satisfies Kept));
  track(handle, { target: to, text, at });
}

/** What a page before this one has left behind goes out again, in its order. */
export function sendLeftBehind(): void {
  const names = Object.keys(localStorage).filter((name) => name.startsWith(nameOf()));
  const kept = names.map((name) => ({ name, ...(JSON.parse(localStorage.getItem(name)!) as Kept) }));
  for (const { name, target, text, at } of kept.sort((a, b) => (a.at < b.at ? -1 : 1))) {
    track(client.send(target, text, { clientKey: name.slice(nameOf().length) }), { target, text, at });
  }
}

export function retry(key: string): void {
  const handle = handles.get(key);
  const outgoing = state.value.outbox.find((one) => one.key === key);
  if (!handle || !outgoing) return;
  drop(key);
  handle.retry();
  const { target, text } = outgoing;
  const at = new Date().toISOString();
  localStorage.setItem(nameOf(handle.clientKey), JSON.stringify({ target, text, at } satisfies Kept));
  track(handle, { target, text, at });
}

/** Whoever has read that it failed may be done with it. */
export function drop(key: string): void {
  handles.delete(key);
  localStorage.removeItem(nameOf(key));
  change((now) => ({ ...now, outbox: now.outbox.filter((one) => one.key !== key) }));
}

/** They end with the session; what is kept goes out when the same person signs in again. */
export const forgetSends = (): void => handles.clear();

function track(handle: SendHandle, kept: Kept): void {
  const key = handle.clientKey;
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
    (message) => {
      noteTimes({ storedMs: elapsed() });
      localStorage.removeItem(nameOf(key));
      handles.delete(key);
      // Where the room is not known yet, the feed is about to tell of it, and of the message.
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
