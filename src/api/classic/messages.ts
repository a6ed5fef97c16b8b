import type { ApiDeps } from "../deps.ts";
import type { Gone } from "../http/gone.ts";
import type { Scope } from "../http/route.ts";
import type { Marks } from "../messages/ack.ts";
import { listRoomMessages } from "../messages/list-messages.ts";
import type { MessageView } from "../messages/schemas.ts";
import { enqueueMarks, readUnseen } from "../messages/unseen.ts";
import { getTask } from "../tasks/get-task.ts";
import type { TaskView } from "../tasks/schemas.ts";
import { presentMessage, presentRoom } from "./present.ts";
import { roomForMember, roomsOf, roomWithMembers } from "./rooms.ts";

const MOST = 1_000;
/** How long a room's history waits for its mark to be stored, so that the next poll does not repeat what it held. */
const MARK_WITHIN_MS = 5_000;

/** The newest thousand of a room, oldest first; reading marks as seen exactly what was read. */
export async function readRoom(roomId: number, scope: Scope) {
  const room = await roomForMember(roomId, scope);
  const { body } = await listRoomMessages(roomId, { limit: MOST }, scope);
  const readSeq = room.members.find(({ id }) => id === scope.caller.id)!.read_seq;
  const upTo = seenUpTo(readSeq, body.messages);
  // A history can be read with the queue away; what could not be marked stays unseen.
  if (upTo > readSeq) await markRead(new Map([[roomId, upTo]]), scope).catch(() => undefined);
  return { ...presentRoom(room), messages: body.messages.toReversed().map(presentMessage) };
}

/** A pointer marks all that is before it, so it moves only as far as the answer has no gap. */
function seenUpTo(readSeq: number, messages: readonly MessageView[]): number {
  const shown = new Set(messages.map(({ seq }) => seq));
  let upTo = readSeq;
  while (shown.has(upTo + 1)) upTo++;
  return upTo;
}

async function markRead(marks: Marks, scope: Scope): Promise<void> {
  const { caller, deps, gone } = scope;
  const id = await enqueueMarks(marks, scope);
  await getTask({ id, waitMs: MARK_WITHIN_MS, senderId: caller.id, gone }, deps);
}

/** Every room, each with what is unseen in it; marks as seen exactly what it answers. */
export async function readAllUnseen(waitMs: number, scope: Scope) {
  const unseen = await readUnseen({ waitMs, limit: MOST, roomId: undefined, ack: new Map(), markSeen: true }, scope);
  const byRoom = Map.groupBy(unseen.messages, (message) => message.room_id);
  const rooms = await roomsOf(scope.caller.id, scope.deps);
  return rooms.map((room) => ({ ...presentRoom(room), messages: (byRoom.get(room.id) ?? []).map(shown) }));
}

const shown = ({ json }: { readonly json: string }) => presentMessage(JSON.parse(json) as MessageView);

const classicStates = {
  queued: "PENDING",
  running: "STARTED",
  retrying: "RETRY",
  done: "SUCCESS",
  failed: "FAILURE",
} as const satisfies Record<TaskView["state"], string>;

/** Whoever knows the id may ask: these paths do not say who is asking. */
export async function taskState(id: string, gone: Gone, deps: ApiDeps) {
  const task = await getTask({ id, waitMs: 0, senderId: undefined, gone }, deps);
  return { state: classicStates[task.state], result: await resultOf(task, deps) };
}

async function resultOf({ error, result }: TaskView, deps: ApiDeps) {
  if (error) return error.detail;
  if (!result || !("text" in result)) return null;
  const message: MessageView = result;
  return { ...presentMessage(message), room: presentRoom(await roomWithMembers(message.room_id, deps)) };
}
