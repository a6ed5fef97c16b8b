import type { ApiDeps } from "../src/api/deps.ts";
import { Gone } from "../src/api/http/gone.ts";
import { sendMessage, type Target } from "../src/api/messages/send-message.ts";
import { enqueueMarks } from "../src/api/messages/unseen.ts";
import { createRoom } from "../src/api/rooms/create-room.ts";
import { getTask } from "../src/api/tasks/get-task.ts";
import { createUser } from "../src/api/users/create-user.ts";
import { oneRow, rows } from "../src/shared/db/database.ts";
import { directMessages, groups, password, users } from "./data.ts";

export interface Seeded {
  readonly users: number;
  readonly rooms: number;
  readonly messages: number;
}

const TASK_WITHIN_MS = 55_000;

/**
 * Demo data, through the same functions as real traffic: a worker has to be running. What is there already is left
 * as it is, so that running it again adds nothing.
 */
export async function seed(deps: ApiDeps): Promise<Seeded> {
  const made = { users: await seedUsers(deps), rooms: 0, messages: 0 };
  const ids = await findIds(deps);
  for (const group of groups) {
    const { roomId, created } = await findOrCreateGroup(group, ids, deps);
    made.rooms += Number(created);
    for (const [i, { by, text }] of group.said.entries()) {
      made.messages += await say(ids.get(by), { roomId }, text, `seed-room-${roomId}-${i}`, deps);
    }
    if (created) await markSeen(roomId, group.seen, ids, deps);
  }
  for (const [i, { by, to, text }] of directMessages.entries()) {
    const recipientId = ids.get(to);
    if (recipientId !== undefined)
      made.messages += await say(ids.get(by), { recipientId }, text, `seed-direct-${i}`, deps);
  }
  return made;
}

type Ids = ReadonlyMap<string, number>;

/** A name that somebody had once is not given out again here: who closed a demo account keeps it closed. */
async function seedUsers(deps: ApiDeps): Promise<number> {
  const known = await rows<{ name: string }>(deps.em, "select distinct lower(username) as name from users");
  const taken = new Set(known.map(({ name }) => name));
  const missing = users.filter(({ username }) => !taken.has(username.toLowerCase()));
  // One after the other, so that user_1 gets the id 1.
  for (const { is_admin, ...user } of missing) {
    const { id } = await createUser({ ...user, password }, deps);
    if (is_admin) await rows(deps.em, "update users set is_admin = true where id = $1", [id]);
  }
  return missing.length;
}

async function findIds({ em }: ApiDeps): Promise<Ids> {
  const found = await rows<{ id: number; username: string }>(
    em,
    "select id, username from users where deactivated_at is null and username = any($1::text[])",
    [users.map(({ username }) => username)],
  );
  return new Map(found.map(({ id, username }) => [username, id]));
}

async function findOrCreateGroup(group: (typeof groups)[number], ids: Ids, deps: ApiDeps) {
  const found = await oneRow<{ id: number }>(deps.em, "select id from rooms where name = $1", [group.name]);
  if (found) return { roomId: found.id, created: false };
  const member_ids = group.members.map((name) => ids.get(name)).filter((id) => id !== undefined);
  const command = { name: group.name, is_public: group.is_public, member_ids, member_usernames: [] };
  return { roomId: await createRoom(command, ids.get(group.owner), deps), created: true };
}

/** @returns how many messages that made: none if it was said before, or if its sender is not there any more. */
async function say(senderId: number | undefined, target: Target, text: string, key: string, deps: ApiDeps) {
  if (senderId === undefined) return 0;
  const stored = await oneRow(deps.em, "select id from messages where sender_id = $1 and client_key = $2", [
    senderId,
    key,
  ]);
  if (stored) return 0;
  if (target.roomId !== undefined && !(await deps.directory.standing(target.roomId, senderId))?.role) return 0;
  const { id } = await sendMessage({ senderId, target, text, clientKey: key }, deps);
  const { state, error } = await getTask({ id, waitMs: TASK_WITHIN_MS, senderId, gone: never }, deps);
  if (state !== "done")
    throw new Error(`A message was not stored: ${error?.detail ?? `it is ${state}; is a worker running?`}`);
  return 1;
}

const never = new Gone();

async function markSeen(
  roomId: number,
  seen: Readonly<Record<string, number>>,
  ids: Ids,
  deps: ApiDeps,
): Promise<void> {
  for (const [name, upToSeq] of Object.entries(seen)) {
    const userId = ids.get(name);
    if (userId === undefined) continue;
    const taskId = await enqueueMarks(new Map([[roomId, upToSeq]]), { caller: { id: userId }, deps });
    await getTask({ id: taskId, waitMs: TASK_WITHIN_MS, senderId: userId, gone: never }, deps);
  }
}
