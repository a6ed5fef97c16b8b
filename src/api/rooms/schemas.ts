import { z } from "zod";
import { count, cursorOf, id, idInBody, limitParam, nameText, time, userRef } from "../http/schemas.ts";
import { MessageView } from "../messages/schemas.ts";

const roomFields = {
  id,
  kind: z.enum(["direct", "group"]),
  name: z.string().nullable().meta({ description: "null for a direct room" }),
  is_public: z.boolean(),
  created_at: time,
  last_message: MessageView.nullable(),
  unseen_count: count,
  read_seq: count.meta({ description: "How far I have seen" }),
  last_seq: count,
};

export const MemberView = z
  .object({ id, username: z.string(), role: z.enum(["owner", "member"]), read_seq: count, joined_at: time })
  .meta({ id: "Member" });

export const RoomView = z.object({ ...roomFields, members: z.array(MemberView) }).meta({ id: "Room" });
export type RoomView = z.output<typeof RoomView>;

export const RoomInListView = z.object({ ...roomFields, members: z.array(userRef) }).meta({ id: "RoomInList" });
export const PublicRoomView = z.object({ id, name: z.string(), member_count: count }).meta({ id: "PublicRoom" });

const next = z.string().nullable().meta({ description: "`after=` this for more" });
export const MyRoomsView = z.object({ rooms: z.array(RoomInListView), next }).meta({ id: "MyRooms" });
export const PublicRoomsView = z.object({ rooms: z.array(PublicRoomView), next }).meta({ id: "PublicRooms" });

const roomName = nameText(100);

export const CreateRoomInput = z.strictObject({
  name: roomName,
  is_public: z.boolean().default(false),
  member_ids: z.array(idInBody).max(1_000).default([]),
  member_usernames: z.array(nameText(150)).max(1_000).default([]),
});
export type CreateRoom = z.output<typeof CreateRoomInput>;

export const UpdateRoomInput = z
  .strictObject({ name: roomName.optional(), is_public: z.boolean().optional() })
  .refine((change) => change.name !== undefined || change.is_public !== undefined, {
    path: ["name"],
    message: "is required (or is_public)",
  });
export type UpdateRoom = z.output<typeof UpdateRoomInput>;

export const ListRoomsQuery = z.object({
  scope: z
    .enum(["mine", "public"])
    .default("mine")
    .meta({ description: "Rooms that I am in, or that anybody may join" }),
  limit: limitParam(100),
  after: cursorOf(/^\d{1,16}(-\d{1,16})?$/),
});
export type ListRooms = z.output<typeof ListRoomsQuery>;
