import { rows } from "../../shared/db/database.ts";
import { UserSchema } from "../../shared/db/entities.ts";
import { LogWrites } from "../../shared/log/writes.ts";
import { assertMayChangeUser, userNotFound } from "../../shared/policies.ts";
import { announceEnd } from "../auth/credentials.ts";
import { endSessions } from "../auth/sessions.ts";
import type { Scope } from "../http/route.ts";
import { lockRooms, removeMember } from "../rooms/membership.ts";
import { changeUsers } from "./create-user.ts";

/** The user is gone from every list and group and the name is free; what they said stays. */
export async function deactivateUser(id: number, { caller, deps }: Scope): Promise<void> {
  assertMayChangeUser(caller, id);
  await changeUsers(deps, async (tx) => {
    const groups = await rows<{ id: number }>(
      tx,
      `select r.id from rooms r join members m on m.room_id = r.id where m.user_id = $1 and r.kind = 'group'`,
      [id],
    );
    const writes = new LogWrites();
    for (const room of await lockRooms(
      tx,
      groups.map((group) => group.id),
    )) {
      await removeMember(tx, { room, userId: id, actorId: caller.id }, writes);
    }
    const user = await tx.findOne(UserSchema, { id, deactivatedAt: null });
    if (!user) throw userNotFound(id);
    user.deactivatedAt = new Date();
    await tx.flush();
    await endSessions(tx, "user_id = $1", [id]);
    await announceEnd(tx, [`user:${id}`]);
    await writes.flush(tx);
    return id;
  });
}
