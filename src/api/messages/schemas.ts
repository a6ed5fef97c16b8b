import { z } from "zod";
import { clientKey, count, id, idInBody, messageText, time, userRef } from "../http/schemas.ts";

export const MessageView = z
  .object({
    id: z.uuid(),
    room_id: id,
    seq: id,
    sender: userRef,
    text: z.string(),
    accepted_at: time,
    created_at: time,
    edited_at: time.nullable(),
    deleted_at: time.nullable(),
    client_key: z.string().optional().meta({ description: "Only to its sender" }),
    seen_by_count: count,
  })
  .meta({ id: "Message" });
export type MessageView = z.output<typeof MessageView>;

export const AcceptedView = z
  .object({
    task_id: z.uuid(),
    message_id: z.uuid(),
    status: z.literal("queued"),
  })
  .meta({ id: "Accepted" });

export const SendMessageInput = z.strictObject({ text: messageText, client_key: clientKey.optional() });

export const SendHeaders = z.object({
  "idempotency-key": clientKey.optional().meta({ description: "The same as `client_key`" }),
  prefer: z
    .string()
    .optional()
    .meta({ description: "`wait=5` waits up to 5 seconds for the commit and answers 201 with the message" }),
});

const UnseenRoomView = z
  .object({
    room_id: id,
    unseen_count: count,
    read_seq: count.meta({ description: "Seen up to here, with what `ack` says" }),
    last_seq: count,
    message_ids: z.array(z.uuid()).meta({ description: "What is unseen: the oldest hundred, the oldest first" }),
  })
  .meta({ id: "UnseenRoom" });

export const UnseenView = z
  .object({
    messages: z.array(MessageView),
    unseen_count: count.meta({ description: "How many there are in all, those in this answer included" }),
    ack: z.string().meta({ description: "Send it with the next poll: it marks exactly what this answer held as seen" }),
    more: z.boolean(),
    explain: z
      .object({ rooms: z.array(UnseenRoomView) })
      .optional()
      .meta({ description: "With `explain=true`: the rooms that make up `unseen_count`, which is the sum of theirs" }),
  })
  .meta({ id: "Unseen" });

export const MarkSeenInput = z
  .strictObject({
    message_ids: z.array(z.uuid()).min(1).max(1_000).optional(),
    room_id: idInBody.optional(),
    up_to: z
      .union([z.uuid(), z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)], "must be a message id or a seq")
      .optional()
      .meta({ description: "A message id or a seq: everything up to it was seen" }),
  })
  .superRefine(({ message_ids, room_id, up_to }, ctx) => {
    const missing = (path: string, message = "is required"): void =>
      ctx.addIssue({ code: "custom", path: [path], message });
    if (message_ids !== undefined) {
      if (room_id !== undefined) missing("room_id", "does not go with message_ids");
      if (up_to !== undefined) missing("up_to", "does not go with message_ids");
    } else if (room_id === undefined && up_to === undefined) {
      missing("message_ids", "is required (or room_id and up_to)");
    } else if (room_id === undefined) missing("room_id");
    else if (up_to === undefined) missing("up_to");
  })
  .meta({ description: "Either `message_ids`, or `room_id` with `up_to`" });

export const SeenAcceptedView = z
  .object({ task_id: z.uuid(), status: z.literal("queued") })
  .meta({ id: "SeenAccepted" });

export const HistoryView = z
  .object({
    messages: z.array(MessageView),
    next: z.uuid().nullable().meta({ description: "`before=` this for the older page" }),
    prev: z.uuid().nullable().meta({ description: "`after=` this for what has come since" }),
  })
  .meta({ id: "History" });

export const ReceiptsView = z
  .object({
    receipts: z.array(z.object({ user_id: id, username: z.string(), seen_at: time })),
    unseen_by: z.array(userRef),
  })
  .meta({ id: "Receipts" });
