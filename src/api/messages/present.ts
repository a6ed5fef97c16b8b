import type { MessageRow } from "../../shared/db/message-row.ts";
import { isoTime, isoTimeOrNull } from "../http/schemas.ts";
import type { MessageView } from "./schemas.ts";

/** A message as `viewerId` may see it. */
export const presentMessage = (row: MessageRow, viewerId: number | undefined): MessageView => ({
  id: row.id,
  room_id: row.room_id,
  seq: row.seq,
  sender: { id: row.sender_id, username: row.sender },
  text: row.text,
  accepted_at: isoTime(row.accepted_at),
  created_at: isoTime(row.created_at),
  edited_at: isoTimeOrNull(row.edited_at),
  deleted_at: isoTimeOrNull(row.deleted_at),
  ...(row.client_key !== null && row.sender_id === viewerId && { client_key: row.client_key }),
  seen_by_count: row.seen_by_count,
});
