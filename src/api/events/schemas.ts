import { z } from "zod";
import { entryTypes } from "../../shared/log/entry.ts";
import { deviceParam, id, time, wholeNumberParam } from "../http/schemas.ts";

export const EntryView = z
  .object({
    offset: z.string(),
    type: z.enum(entryTypes),
    room_id: id.nullable().meta({ description: "null for what concerns the reader alone" }),
    actor_id: id.nullable(),
    at: time,
    data: z.record(z.string(), z.unknown()).meta({ description: "For `message.*` the message; else what has changed" }),
  })
  .meta({ id: "Entry" });

export const EntriesView = z.array(EntryView);

export const FeedQuery = z.object({
  offset: z
    .string()
    .max(100)
    .default("-1")
    .meta({ description: "`-1`: from the beginning; `now`: from here on; or what `Stream-Next-Offset` said" }),
  live: z
    .enum(["long-poll", "sse"])
    .optional()
    .meta({ description: "Wait for what comes: once (`long-poll`) or in a stream (`sse`)" }),
  timeout: wholeNumberParam(1, 55)
    .default(30)
    .meta({ description: "Seconds that a long poll waits at most", default: 30 }),
  cursor: z.string().max(100).optional().meta({ description: "The `Stream-Cursor` of the answer before" }),
  device: deviceParam,
});
export type FeedQuery = z.output<typeof FeedQuery>;

export const FeedHeaders = z.object({
  "last-event-id": z
    .string()
    .max(100)
    .optional()
    .meta({ description: "Resumes a stream (browsers send it by themselves)" }),
});
