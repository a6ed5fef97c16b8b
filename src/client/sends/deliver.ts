import { Deferred } from "../deferred.ts";
import type { Door } from "../door.ts";
import { Deadline, type Patience } from "../patience.ts";
import { persist } from "../persist.ts";
import { cancelled, problemOf } from "../problem.ts";
import type { Accepted, Message, Task } from "../views.ts";
import type { Slots, Turns } from "./turns.ts";
import type { Witness } from "./witness.ts";

export type Target = { readonly room: number; readonly to?: never } | { readonly to: number; readonly room?: never };

export interface Job {
  readonly target: Target;
  readonly text: string;
  readonly clientKey: string;
  readonly cancel: AbortSignal;
}

export interface DeliverDeps {
  readonly door: Door;
  readonly patience: Patience;
  readonly witness: Witness;
  /** To one target one after the other, so that they are accepted in the order in which they were sent. */
  readonly turns: Turns;
  /** A browser has few connections: so many tasks are asked for at once. */
  readonly slots: Slots;
  /** Aborted with the client. */
  readonly closed: AbortSignal;
}

/** A feed that is live tells what became of it. Should it not, the task is asked after so long. */
const DOUBT_AFTER_MS = 10_000;
const NOT_SENT = "It was cancelled before it was sent";

/** From here to the store: tries until it is accepted or refused, and follows what was accepted to its end. */
export async function deliver(job: Job, deps: DeliverDeps, onAccepted: (id: string) => void): Promise<Message> {
  const { door, witness, closed } = deps;
  const work = new Deadline(undefined, closed, door.sessions.life);
  const told = new Deferred<Message>();
  const letGo = [witness.onStored(job.clientKey, told.resolve)];
  const accept = (id: string): void => {
    letGo.push(witness.onFailed(id, told.reject));
    onAccepted(id);
  };
  try {
    return await Promise.race([told.promise, goThrough(job, deps, work.signal, accept)]);
  } finally {
    for (const forget of letGo) forget();
    work.abort();
    work.release();
  }
}

async function goThrough(job: Job, deps: DeliverDeps, signal: AbortSignal, accept: (id: string) => void) {
  const id = await inTurn(job, deps, signal);
  signal.throwIfAborted(); // a feed may have told everything before the answer came
  accept(id);
  const takeBack = (): void => void withdraw(id, deps, signal);
  if (job.cancel.aborted) takeBack();
  else job.cancel.addEventListener("abort", takeBack, { signal });
  return follow(id, deps, signal);
}

/** What is cancelled while it waits for its turn was never sent. */
function inTurn(job: Job, deps: DeliverDeps, signal: AbortSignal): Promise<string> {
  const { room, to } = job.target;
  const name = room === undefined ? `to ${to}` : `in ${room}`;
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(cancelled(NOT_SENT));
    job.cancel.addEventListener("abort", giveUp);
    const post = (): Promise<string> => {
      job.cancel.removeEventListener("abort", giveUp);
      return postUntilAccepted(job, deps, signal);
    };
    deps.turns.take(name, post).then(resolve, reject);
  });
}

/** Where a proxy sees the key it may ask the next API by itself. Not every key fits into a header as it is. */
const IN_HEADER = /^[\x21-\x7e]+$/;

/** @returns the id of the message, which is that of its task. */
async function postUntilAccepted(job: Job, { door, patience }: DeliverDeps, signal: AbortSignal): Promise<string> {
  const { target, text, clientKey, cancel } = job;
  if (cancel.aborted) throw cancelled(NOT_SENT);
  const path = target.room === undefined ? `/v1/users/${target.to}/messages` : `/v1/rooms/${target.room}/messages`;
  const body = { text, client_key: clientKey };
  const headers = IN_HEADER.test(clientKey) ? { "idempotency-key": clientKey } : {};
  const again = (): boolean => !cancel.aborted;
  const waiting = new Deadline(undefined, signal, cancel);
  try {
    const ask = () => door.ask<Accepted>("POST", path, { body, headers, signal });
    return (await persist(ask, { patience, signal: waiting.signal, again })).body.message_id;
  } catch (error) {
    if (!cancel.aborted || signal.aborted) throw error;
    // It may have arrived although no answer did.
    const sent = await persist(() => findSent(clientKey, door, signal), { patience, signal });
    if (!sent) throw cancelled(NOT_SENT);
    return sent.id;
  } finally {
    waiting.release();
  }
}

async function findSent(clientKey: string, door: Door, signal: AbortSignal): Promise<Task | null> {
  const query = { client_key: clientKey };
  return (await door.ask<{ task: Task | null }>("GET", "/v1/messages", { query, signal })).body.task;
}

/** Too late is no accident: then it is stored, and the handle says so. */
async function withdraw(taskId: string, { door, patience }: DeliverDeps, signal: AbortSignal): Promise<void> {
  await persist(() => door.ask("DELETE", `/v1/tasks/${taskId}`, { signal }), { patience, signal }).catch(() => {});
}

/** To its end, by asking: at once where nobody tells, and now and then where a feed should. */
async function follow(taskId: string, deps: DeliverDeps, signal: AbortSignal): Promise<Message> {
  const { door, patience, witness, slots } = deps;
  const wait = Math.max(1, Math.floor(patience.pollMs / 1_000));
  const timeoutMs = patience.pollMs + patience.requestMs;
  const ask = () => door.ask<Task>("GET", `/v1/tasks/${taskId}`, { query: { wait }, signal, timeoutMs });
  for (;;) {
    await witness.untilDark(DOUBT_AFTER_MS, signal);
    const { body: task } = await slots.use(() => persist(ask, { patience, signal }));
    if (task.state === "done") return task.result as Message;
    if (task.state === "failed") throw problemOf(task.error!);
  }
}
