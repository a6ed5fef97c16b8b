import type { ApiDeps } from "../deps.ts";
import type { Scope } from "../http/route.ts";
import { listRoomMessages } from "../messages/list-messages.ts";
import type { MessageView } from "../messages/schemas.ts";
import { enqueueMarks, readUnseen } from "../messages/unseen.ts";
import { getTask } from "../tasks/get-task.ts";
import type { TaskView } from "../tasks/schemas.ts";
import { presentMessage, presentRoom } from "./present.ts";
import { roomsOf, roomWithMembers } from "./rooms.ts";

const MOST = 1_000;

/** The newest thousand of a room, oldest first; reading marks as seen exactly what was read. */
export async function readRoom(roomId: number, scope: Scope) {
  const { body } = await listRoomMessages(roomId, { limit: MOST }, scope);
  const room = await roomWithMembers(roomId, scope.deps);
  const messages = body.messages.toReversed();
  const furthest = Math.max(0, ...messages.map((message) => message.seq));
  if (furthest > 0) await enqueueMarks(new Map([[roomId, furthest]]), scope);
  return { ...presentRoom(room), messages: messages.map(presentMessage) };
}

/** Every room, each with what is unseen in it; marks as seen exactly what it answers. */
export async function readAllUnseen(waitMs: number, scope: Scope) {
  const unseen = await readUnseen({ waitMs, limit: MOST, roomId: undefined, ack: new Map(), markSeen: true }, scope);
  const byRoom = Map.groupBy(unseen.messages, (message) => message.room_id);
  const rooms = await roomsOf(scope.caller.id, scope.deps);
  return rooms.map((room) => ({ ...presentRoom(room), messages: (byRoom.get(room.id) ?? []).map(presentMessage) }));
}

const classicStates = {
  queued: "PENDING",
  running: "STARTED",
  retrying: "RETRY",
  done: "SUCCESS",
  failed: "FAILURE",
} as const satisfies Record<TaskView["state"], string>;

/** Whoever knows the id may ask: these paths do not say who is asking. */
export async function taskState(id: string, gone: AbortSignal, deps: ApiDeps) {
  const task = await getTask({ id, waitMs: 0, senderId: undefined, gone }, deps);
  return { state: classicStates[task.state], result: await resultOf(task, deps) };
}

async function resultOf({ error, result }: TaskView, deps: ApiDeps) {
  if (error) return error.detail;
  if (!result || !("text" in result)) return null;
  const message: MessageView = result;
  return { ...presentMessage(message), room: presentRoom(await roomWithMembers(message.room_id, deps)) };
}
