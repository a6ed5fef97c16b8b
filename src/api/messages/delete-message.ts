import { inTransaction, oneRow, rows } from "../../shared/db/database.ts";
import { LogWrites } from "../../shared/log/writes.ts";
import { assertMayDeleteMessage, messageNotFound } from "../../shared/policies.ts";
import { recordAction } from "../admin/actions.ts";
import type { Scope } from "../http/route.ts";
import { lockRoom } from "../rooms/membership.ts";

interface Found {
  readonly room_id: number;
  readonly sender_id: number;
  readonly is_member: boolean;
}

/** Its words are gone, for everybody and from the database; its place stays. To delete it again changes nothing. */
export async function deleteMessage(id: string, scope: Scope): Promise<void> {
  const { caller, deps } = scope;
  await inTransaction(deps.em, async (tx) => {
    const found = await oneRow<Found>(tx, foundSql, [id, caller.id]);
    const message = found && { senderId: found.sender_id, isMember: found.is_member };
    assertMayDeleteMessage(caller, id, message);
    // The room comes first, as in whatever writes into one.
    if (!(await lockRoom(tx, found!.room_id))) throw messageNotFound(id);
    const [deleted] = await rows(
      tx,
      "update messages set deleted_at = now(), text = '' where id = $1 and deleted_at is null returning id",
      [id],
    );
    if (!deleted) return;
    const { room_id, sender_id } = found!;
    if (sender_id !== caller.id) {
      await recordAction(tx, { action: "message.delete", target: id, detail: { room_id, sender_id } }, scope);
    }
    const writes = new LogWrites();
    writes.add({ type: "message.deleted", roomId: room_id, actorId: caller.id, messageId: id });
    await writes.flush(tx);
  });
}

const foundSql = `
  select m.room_id, m.sender_id, exists (select from members x where x.room_id = m.room_id and x.user_id = $2) as is_member
  from messages m where m.id = $1`;
