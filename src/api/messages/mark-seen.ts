import { rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { assertMayInRoom } from "../../shared/policies.ts";
import type { Scope } from "../http/route.ts";
import { type Marks, mergeMarks } from "./ack.ts";
import { enqueueMarks } from "./unseen.ts";

export interface MarkSeen {
  readonly message_ids?: readonly string[] | undefined;
  readonly room_id?: number | undefined;
  readonly up_to?: string | number | undefined;
}

/** Answers the id of the task that will move the read pointers. */
export async function markSeen(command: MarkSeen, scope: Scope): Promise<string> {
  return enqueueMarks(await marksOf(command, scope), scope);
}

async function marksOf({ message_ids, room_id, up_to }: MarkSeen, scope: Scope): Promise<Marks> {
  if (message_ids) return marksOfMessages(message_ids, undefined, scope);
  const roomId = room_id!;
  assertMayInRoom("read", roomId, await scope.deps.directory.standing(roomId, scope.caller.id));
  return typeof up_to === "string" ? marksOfMessages([up_to], roomId, scope) : new Map([[roomId, up_to!]]);
}

/** The furthest of the named messages in each room; one that the caller can't see is not there. */
async function marksOfMessages(
  ids: readonly string[],
  roomId: number | undefined,
  { caller, deps }: Scope,
): Promise<Marks> {
  const wanted = [...new Set(ids.map((id) => id.toLowerCase()))];
  const found = await rows<{ id: string; room_id: number; seq: number }>(
    deps.em,
    `select m.id, m.room_id, m.seq from messages m
     join members me on me.room_id = m.room_id and me.user_id = $2
     where m.id = any($1::uuid[]) and ($3::bigint is null or m.room_id = $3)`,
    [wanted, caller.id, roomId ?? null],
  );
  const known = new Set(found.map((row) => row.id));
  const missing = wanted.filter((id) => !known.has(id));
  if (missing.length > 0) {
    throw new AppError("message_not_found", `Not known to you: ${missing.slice(0, 5).join(", ")}`);
  }
  return mergeMarks(found.map((row) => [row.room_id, row.seq] as const));
}
