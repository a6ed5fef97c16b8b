import { type EntityManager, inTransaction, rows, violatedConstraint } from "../../shared/db/database.ts";
import { RoomSchema } from "../../shared/db/entities.ts";
import { AppError, type FieldError } from "../../shared/errors.ts";
import { LogWrites } from "../../shared/log/writes.ts";
import type { ApiDeps } from "../deps.ts";
import type { NewMember } from "./membership.ts";
import type { CreateRoom } from "./schemas.ts";

/** Makes a group with its members in one transaction; the creator, if there is one, owns it. Answers its id. */
export async function createRoom(
  command: CreateRoom,
  creatorId: number | undefined,
  { em }: Pick<ApiDeps, "em">,
): Promise<number> {
  try {
    return await inTransaction(em, async (tx) => {
      const members = await findMembers(tx, command, creatorId);
      const room = tx.create(RoomSchema, {
        kind: "group",
        name: command.name,
        isPublic: command.is_public,
        createdBy: creatorId ?? null,
      });
      await tx.flush();
      await insertMembers(tx, room.id, members);
      await tellCreated(tx, room, members, creatorId);
      return room.id;
    });
  } catch (error) {
    throw roomNameTaken(error) ?? error;
  }
}

/** All of them or none: a name that nobody has is a mistake to be told, not to be passed over. */
async function findMembers(
  tx: EntityManager,
  { member_ids, member_usernames }: CreateRoom,
  creatorId: number | undefined,
): Promise<NewMember[]> {
  const names = member_usernames.map((name) => name.toLowerCase());
  const found = await rows<NewMember>(
    tx,
    `select id, username from users
     where deactivated_at is null
       and (id = any($1::bigint[]) or lower(username) in (select lower(name) from unnest($2::text[]) as t (name)))
     order by id
     for share`,
    [creatorId === undefined ? member_ids : [creatorId, ...member_ids], member_usernames],
  );
  const ids = new Set(found.map((user) => user.id));
  const usernames = new Set(found.map((user) => user.username.toLowerCase()));
  const errors: FieldError[] = [
    ...member_ids.flatMap((id, i) =>
      ids.has(id) ? [] : [{ path: `member_ids.${i}`, message: `no user has the id ${id}` }],
    ),
    ...names.flatMap((name, i) =>
      usernames.has(name) ? [] : [{ path: `member_usernames.${i}`, message: "no user has this name" }],
    ),
  ];
  if (errors.length > 0) throw new AppError("user_not_found", "Some of the members do not exist", { errors });
  // The creator first, who is the owner; then by id.
  return found.toSorted((a, b) => Number(b.id === creatorId) - Number(a.id === creatorId) || a.id - b.id);
}

async function insertMembers(tx: EntityManager, roomId: number, members: readonly NewMember[]): Promise<void> {
  await rows(
    tx,
    `insert into members (room_id, user_id, role)
     select $1, t.user_id, case when t.ord = 1 then 'owner' else 'member' end
     from unnest($2::bigint[]) with ordinality as t (user_id, ord)`,
    [roomId, members.map((member) => member.id)],
  );
}

async function tellCreated(
  tx: EntityManager,
  room: { id: number; name?: string | null | undefined; isPublic: boolean },
  members: readonly NewMember[],
  creatorId: number | undefined,
): Promise<void> {
  const writes = new LogWrites();
  const data = { id: room.id, kind: "group", name: room.name, is_public: room.isPublic, members };
  writes.add({ type: "room.created", roomId: room.id, actorId: creatorId ?? null, data });
  for (const member of members) writes.joined(room.id, member.id);
  const pos = await writes.flush(tx);
  // A new room stands at the top of its members' lists.
  await rows(tx, "update rooms set last_pos = $2 where id = $1", [room.id, pos]);
}

/** Names are compared letter by letter, as they are shown. */
export function roomNameTaken(error: unknown): AppError | undefined {
  if (violatedConstraint(error) !== "rooms_name_unique") return undefined;
  const errors = [{ path: "name", message: "is taken" }];
  return new AppError("room_name_taken", "Another room has this name already", { errors, cause: error });
}
