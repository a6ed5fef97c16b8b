import { rows } from "../../shared/db/database.ts";
import { LogWrites } from "../../shared/log/writes.ts";
import { assertMayChangeUser, userNotFound } from "../../shared/policies.ts";
import { recordAction } from "../admin/actions.ts";
import { announceEnd, type CredentialName } from "../auth/credentials.ts";
import { endSessions } from "../auth/sessions.ts";
import type { Scope } from "../http/route.ts";
import { lockRooms, removeMember } from "../rooms/membership.ts";
import { assertLeavesAnAdmin } from "./admins.ts";
import { changeUsers } from "./create-user.ts";

/** The user is gone from every list and group and the name is free; what they said stays. */
export async function deactivateUser(id: number, scope: Scope): Promise<void> {
  const { caller, deps } = scope;
  assertMayChangeUser(caller, id);
  let ended: CredentialName[] = [];
  await changeUsers(deps, async (tx) => {
    await assertLeavesAnAdmin(tx, id);
    // The user before their rooms, as in whatever adds them to one: nobody is left behind in a room.
    const [user] = await rows(tx, "select id from users where id = $1 and deactivated_at is null for no key update", [
      id,
    ]);
    if (!user) throw userNotFound(id);
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
    await rows(tx, "update users set deactivated_at = now() where id = $1", [id]);
    await rows(tx, "update api_tokens set revoked_at = now() where user_id = $1 and revoked_at is null", [id]);
    ended = [...(await endSessions(tx, "user_id = $1", [id])), `user:${id}`];
    await announceEnd(tx, [`user:${id}`]);
    if (caller.id !== id) await recordAction(tx, { action: "user.close", target: id }, scope);
    await writes.flush(tx);
    return id;
  });
  for (const name of ended) deps.credentials.forget(name);
}
