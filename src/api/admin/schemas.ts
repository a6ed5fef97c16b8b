import { z } from "zod";
import { ApiTokensView, SessionsView } from "../auth/schemas.ts";
import { ReadyView } from "../health/readiness.ts";
import { count, cursorOf, id, idParam, limitParam, shortText, time, userRef } from "../http/schemas.ts";
import { MessageView } from "../messages/schemas.ts";
import { adminActions } from "./actions.ts";

const next = z.string().nullable().meta({ description: "`after=` this for more" });
const after = cursorOf(/^\d{1,16}$/);
const limit = limitParam(50);

export const AdminUserView = z
  .object({
    id,
    username: z.string(),
    email: z.string().nullable(),
    first_name: z.string(),
    last_name: z.string(),
    is_admin: z.boolean(),
    state: z.enum(["active", "banned", "deactivated"]),
    created_at: time,
    deactivated_at: time.nullable(),
    banned_at: time.nullable(),
    ban_reason: z.string().nullable(),
    last_used_at: time.nullable().meta({ description: "Of the sessions that are open" }),
    session_count: count,
    token_count: count,
  })
  .meta({ id: "AdminUser" });
export type AdminUserView = z.output<typeof AdminUserView>;

export const AdminUserWithAccessView = AdminUserView.extend({
  sessions: z.array(SessionsView.shape.sessions.element.omit({ is_current: true })),
  tokens: ApiTokensView.shape.tokens,
}).meta({ id: "AdminUserWithAccess" });
export const AdminUsersView = z.object({ users: z.array(AdminUserView), next }).meta({ id: "AdminUsers" });

export const ListAdminUsersQuery = z.object({
  q: shortText(100).optional().meta({ description: "Part of a username, a name or an address, or an id" }),
  state: z.enum(["active", "banned", "deactivated", "admin"]).optional().meta({ description: "Only who is that" }),
  limit,
  after,
});
export type ListAdminUsers = z.output<typeof ListAdminUsersQuery>;

export const BanInput = z.strictObject({
  reason: shortText(500).optional().meta({ description: "Told to them when they try to sign in" }),
});

export const AdminRoomView = z
  .object({
    id,
    kind: z.enum(["direct", "group"]),
    name: z.string().nullable(),
    is_public: z.boolean(),
    created_at: time,
    last_message_at: time.nullable(),
    message_count: count.meta({ description: "With those that were deleted since" }),
    member_count: count,
    members: z
      .array(userRef.extend({ role: z.enum(["owner", "member"]), joined_at: time }))
      .meta({ description: "The owner, then who has been there longest: two in a list, 200 of one room" }),
  })
  .meta({ id: "AdminRoom" });
export type AdminRoomView = z.output<typeof AdminRoomView>;
export const AdminRoomsView = z.object({ rooms: z.array(AdminRoomView), next }).meta({ id: "AdminRooms" });

export const ListAdminRoomsQuery = z.object({
  q: shortText(100).optional().meta({ description: "Part of a name, or an id" }),
  kind: z.enum(["direct", "group"]).optional().meta({ description: "Only these" }),
  member_id: idParam.optional().meta({ description: "Only rooms that this user is in" }),
  limit,
  after,
});
export type ListAdminRooms = z.output<typeof ListAdminRoomsQuery>;

export const GroupMessagesQuery = z.object({
  before: z.uuid().optional().meta({ description: "The `next` of the page before" }),
  limit,
});
export const GroupMessagesView = z
  .object({
    messages: z.array(MessageView),
    next: z.uuid().nullable().meta({ description: "`before=` this for the older page" }),
  })
  .meta({ id: "GroupMessages" });

export const ReportedView = z
  .object({
    id: z.uuid(),
    room: z.object({ id, kind: z.enum(["direct", "group"]), name: z.string().nullable() }),
    sender: userRef,
    text: z.string().nullable().meta({ description: "null in a direct room, and of a deleted message" }),
    accepted_at: time,
    deleted_at: time.nullable(),
  })
  .meta({ id: "ReportedMessage" });

export const jobParams = z.object({ id: z.string() });
export const FailedJobsQuery = z.object({ limit, after: cursorOf(/^\d{1,16}-[\w.-]{1,128}$/) });
const JobView = z
  .object({
    id: z.string(),
    kind: z.string(),
    state: z.string(),
    attempts: count,
    accepted_at: time,
    failed_at: time.nullable(),
    reason: z.string().nullable(),
    retryable: z.boolean().meta({ description: "Failed, and not because its sender cancelled it" }),
  })
  .meta({ id: "Job" });
export const FailedJobsView = z.object({ jobs: z.array(JobView), next }).meta({ id: "FailedJobs" });
export const JobWithDataView = JobView.extend({
  data: z.record(z.string(), z.unknown()).meta({ description: "Without the texts of messages" }),
}).meta({ id: "JobWithData" });
export const RetriedView = z
  .object({ retried: count, cancelled: count, left: count.meta({ description: "Ask again for these" }) })
  .meta({ id: "Retried" });

export const ListActionsQuery = z.object({ limit, after });
export const ActionsView = z
  .object({
    actions: z.array(
      z.object({
        id,
        at: time,
        actor: userRef,
        action: z.enum(adminActions),
        target: z.string(),
        detail: z.record(z.string(), z.unknown()).nullable(),
        request_id: z.string().meta({ description: "As the log has it" }),
      }),
    ),
    next,
  })
  .meta({ id: "AdminActions" });

export const HealthView = ReadyView.extend({
  version: z.string(),
  node: z.string(),
  process: z.object({ uptime_s: count, memory_bytes: count }),
  queue: z
    .object({
      carried_by: z.enum(["redis", "postgres"]),
      shards: count,
      ...{ waiting: count, active: count, delayed: count, failed: count, completed: count },
    })
    .nullable(),
  database: z
    .object({
      version: z.string(),
      size_bytes: count,
      tables: z.array(z.object({ name: z.string(), rows: count, size_bytes: count })),
      log: z.object({ head: count, oldest: count.nullable(), oldest_at: time.nullable() }),
    })
    .nullable(),
}).meta({ id: "Health" });
