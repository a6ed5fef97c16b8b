import { type EntityManager, inTransaction, rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { LogWrites } from "../../shared/log/writes.ts";
import { assertMayInRoom, assertMayJoin, userNotFound } from "../../shared/policies.ts";
import type { Scope } from "../http/route.ts";
import { addMember, lockRoom, type NewMember, removeMember, standingOf } from "./membership.ts";

/** Joins a public room oneself, or adds somebody to a room one is in. Who is in already stays in. */
export async function putMember(roomId: number, userId: number, { caller, deps }: Scope): Promise<void> {
  await inTransaction(deps.em, async (tx) => {
    const user = await holdUser(tx, userId);
    const room = await lockRoom(tx, roomId);
    const standing = await standingOf(tx, room, caller.id);
    if (userId === caller.id) assertMayJoin(roomId, standing);
    else assertMayInRoom("invite", roomId, standing);
    if (!user) throw userNotFound(userId);
    const writes = new LogWrites();
    await addMember(tx, { room: room!, user, actorId: caller.id }, writes);
    await writes.flush(tx);
  });
  // The tail will say so too; whoever joined may send with their very next request.
  deps.directory.forgetRoom(roomId);
}

/** Held until the end, and before the room: whose account is being closed is not added to anything any more. */
async function holdUser(tx: EntityManager, id: number): Promise<NewMember | undefined> {
  const [user] = await rows<NewMember>(
    tx,
    "select id, username from users where id = $1 and deactivated_at is null for share",
    [id],
  );
  return user;
}

/** Leaves a room oneself, or removes somebody from a room one owns. */
export async function deleteMember(roomId: number, userId: number, { caller, deps }: Scope): Promise<void> {
  await inTransaction(deps.em, async (tx) => {
    const room = await lockRoom(tx, roomId);
    const standing = await standingOf(tx, room, caller.id);
    assertMayInRoom(userId === caller.id ? "leave" : "remove-member", roomId, standing);
    const writes = new LogWrites();
    const removed = await removeMember(tx, { room: room!, userId, actorId: caller.id }, writes);
    if (!removed) throw new AppError("member_not_found", `User ${userId} is not a member of room ${roomId}`);
    await writes.flush(tx);
  });
  deps.directory.forgetRoom(roomId);
}
