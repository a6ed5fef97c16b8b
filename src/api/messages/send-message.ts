import { createHash } from "node:crypto";
import { oneRow } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { timeOfId } from "../../shared/ids.ts";
import { queueUnavailable } from "../../shared/jobs/enqueue.ts";
import { assertMayInRoom, directKey, directLine, userNotFound } from "../../shared/policies.ts";
import { keyMismatch } from "../../shared/sends.ts";
import { keys, ttl } from "../../shared/store/store.ts";
import { within } from "../../shared/within.ts";
import type { ApiDeps } from "../deps.ts";

/** A database that hangs must not keep a message from being accepted. */
const LOOK_UP_WITHIN_MS = 500;
const REMEMBER_WITHIN_MS = 1_000;

export type Target =
  | { readonly roomId: number; readonly recipientId?: undefined }
  | {
      readonly recipientId: number;
      readonly roomId?: undefined;
    };

export interface SendMessage {
  readonly senderId: number;
  readonly target: Target;
  readonly text: string;
  readonly clientKey: string | undefined;
  readonly requestId?: string | undefined;
}

export interface Accepted {
  readonly id: string;
  /** The same key and body were accepted before: this is that message. */
  readonly replayed: boolean;
}

/** Accepts a message: from the moment this resolves it will be stored exactly once, or its task says why not. */
export async function sendMessage(command: SendMessage, deps: ApiDeps): Promise<Accepted> {
  const line = await lineOfAllowed(command, deps);
  deps.backlog.admit();
  const { id, replayed } = await chooseId(command, deps);
  const data = {
    senderId: command.senderId,
    ...command.target,
    text: command.text,
    clientKey: command.clientKey ?? null,
    acceptedAt: timeOfId(id).toISOString(),
    requestId: command.requestId,
  };
  await deps.sends.add(id, data, deps.backend.queueFor(line));
  return { id, replayed };
}

/** If they may send there, the number that keeps what is sent there in order. */
async function lineOfAllowed({ senderId, target }: SendMessage, { directory }: ApiDeps): Promise<number> {
  if (target.roomId !== undefined) {
    const room = await directory.standing(target.roomId, senderId);
    assertMayInRoom("post", target.roomId, room);
    return room.line;
  }
  if (target.recipientId === senderId) throw new AppError("message_to_self", "A direct message needs somebody else");
  if (!(await directory.user(target.recipientId))) throw userNotFound(target.recipientId);
  return directLine(senderId, target.recipientId);
}

/**
 * The id of the message is the id of its task, and the same for the same key. The job is added again on a replay: if
 * this process died between remembering the key and adding the job, the promise would hang on the client's retry.
 */
async function chooseId(command: SendMessage, deps: ApiDeps): Promise<Accepted> {
  const fresh = deps.sends.newId();
  const { clientKey, senderId } = command;
  if (clientKey === undefined) return { id: fresh, replayed: false };
  const print = fingerprint(command);
  const stored = await storedUnderKey(command, deps);
  const value = `${stored?.id ?? fresh} ${stored?.print ?? print}`;
  const remembering = deps.backend.store.setIfAbsent(keys.sendKey(senderId, clientKey), value, ttl.sendKeyMs);
  const remembered = await within(REMEMBER_WITHIN_MS, remembering).catch((cause: unknown) => {
    throw queueUnavailable(deps.log, cause);
  });
  const [id, earlierPrint] = remembered.split(" ") as [string, string];
  if (earlierPrint !== print) throw keyMismatch();
  return { id, replayed: id !== fresh };
}

/** What the message says and to whom, in short. */
const fingerprint = ({ senderId, target, text }: SendMessage): string =>
  printOf(target.roomId === undefined ? directKey(senderId, target.recipientId) : String(target.roomId), text);

const printOf = (to: string, text: string): string =>
  createHash("sha256").update(`${to}\n${text}`).digest("base64url").slice(0, 22);

/** The database remembers keys for ever, the store for days only. */
async function storedUnderKey({ senderId, clientKey }: SendMessage, { em, log }: ApiDeps) {
  try {
    const looking = oneRow<{ id: string; text: string; to: string }>(em, storedSql, [senderId, clientKey]);
    const found = await within(LOOK_UP_WITHIN_MS, looking);
    // What a deleted message said is not known any more: under its key it is found, whatever is said now.
    return found && { id: found.id, print: found.text === "" ? undefined : printOf(found.to, found.text) };
  } catch (error) {
    // A database that is away does not keep a message from being accepted: the worker looks again.
    log.warn({ reason: String(error) }, "could not look up a key");
    return undefined;
  }
}

const storedSql = `
  select m.id, m.text, coalesce(r.direct_key, r.id::text) as to
  from messages m join rooms r on r.id = m.room_id where m.sender_id = $1 and m.client_key = $2`;
