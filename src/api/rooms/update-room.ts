import { inTransaction, rows } from "../../shared/db/database.ts";
import { LogWrites } from "../../shared/log/writes.ts";
import { assertMayDeleteRoom, assertMayInRoom } from "../../shared/policies.ts";
import { recordAction } from "../admin/actions.ts";
import type { Scope } from "../http/route.ts";
import { roomNameTaken } from "./create-room.ts";
import { deleteRoomRow, lockRoom, standingOf } from "./membership.ts";
import type { UpdateRoom } from "./schemas.ts";

export async function updateRoom(roomId: number, change: UpdateRoom, { caller, deps }: Scope): Promise<void> {
  try {
    await inTransaction(deps.em, async (tx) => {
      const room = await lockRoom(tx, roomId);
      assertMayInRoom("rename", roomId, await standingOf(tx, room, caller.id));
      const name = change.name ?? room!.name;
      const is_public = change.is_public ?? room!.is_public;
      if (name === room!.name && is_public === room!.is_public) return;
      await rows(tx, "update rooms set name = $2, is_public = $3 where id = $1", [roomId, name, is_public]);
      const writes = new LogWrites();
      writes.add({ type: "room.updated", roomId, actorId: caller.id, data: { name, is_public } });
      await writes.flush(tx);
    });
    deps.directory.forgetRoom(roomId);
  } catch (error) {
    throw roomNameTaken(error) ?? error;
  }
}

export async function deleteRoom(roomId: number, scope: Scope): Promise<void> {
  const { caller, deps } = scope;
  await inTransaction(deps.em, async (tx) => {
    const room = await lockRoom(tx, roomId);
    const standing = await standingOf(tx, room, caller.id);
    assertMayDeleteRoom(caller, roomId, standing);
    if (standing?.role !== "owner") {
      await recordAction(tx, { action: "room.delete", target: roomId, detail: { name: room!.name } }, scope);
    }
    const writes = new LogWrites();
    await deleteRoomRow(tx, roomId, caller.id, writes);
    await writes.flush(tx);
  });
  deps.directory.forgetRoom(roomId);
}
