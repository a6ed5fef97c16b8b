import { isoTime } from "../http/schemas.ts";
import type { UserRow } from "../users/present.ts";

export interface ClassicRoom {
  readonly id: number;
  readonly kind: "direct" | "group";
  readonly name: string | null;
  readonly members: readonly { readonly id: number; readonly username: string; readonly read_seq: number }[];
}

interface ClassicMessage {
  readonly id: string;
  readonly room_id: number;
  readonly sender: { readonly id: number; readonly username: string };
  readonly text: string;
  readonly created_at: string;
}

export const envelope = (data: unknown) => ({ status: 200, message: "HTTP_200_OK", data });

/** A direct room has no name of its own; here it is called after its two members, by id. */
const roomName = ({ kind, name, members }: ClassicRoom): string =>
  kind === "group"
    ? name!
    : members
        .toSorted((a, b) => a.id - b.id)
        .map(({ username }) => username)
        .join(" - ");

export const presentRoom = (room: ClassicRoom) => ({
  id: room.id,
  room_name: roomName(room),
  room_member: room.members.map(({ username }) => ({ username })),
});

export const presentMessage = ({ id, room_id, sender, text, created_at }: ClassicMessage) => ({
  id,
  msg_from: { id: sender.id, username: sender.username },
  text,
  sent_at: created_at,
  room: room_id,
});

export const presentUser = (user: UserRow) => ({
  id: user.id,
  profile: { id: user.id, status: user.status, status_msg: user.status_message, user: user.id },
  last_login: null,
  is_superuser: user.is_admin,
  username: user.username,
  first_name: user.first_name,
  last_name: user.last_name,
  email: user.email ?? "",
  is_staff: user.is_admin,
  is_active: true,
  date_joined: isoTime(user.created_at),
});
