import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { defineRoute, Raw, reply, type Scope } from "../http/route.ts";
import {
  clientKey,
  cursorParam,
  deviceParam,
  flagParam,
  idParam,
  limitParam,
  uuidParam,
  waitParam,
} from "../http/schemas.ts";
import { SentView, TraceView } from "../tasks/schemas.ts";
import { waitForMessage } from "../tasks/wait-for-message.ts";
import { decodeAck } from "./ack.ts";
import { deleteMessage } from "./delete-message.ts";
import { findSent } from "./find-sent.ts";
import { getMessage, getReceipts } from "./get-message.ts";
import { getTrace } from "./get-trace.ts";
import { listRoomMessages, listUserMessages } from "./list-messages.ts";
import { markSeen } from "./mark-seen.ts";
import {
  AcceptedView,
  HistoryView,
  MarkSeenInput,
  MessageView,
  ReceiptsView,
  SeenAcceptedView,
  SendHeaders,
  SendMessageInput,
  UnseenView,
} from "./schemas.ts";
import { sendMessage, type Target } from "./send-message.ts";
import { readUnseen, unseenJson } from "./unseen.ts";

const roomParams = z.object({ id: idParam.meta({ description: "Room" }) });
const userParams = z.object({ id: idParam.meta({ description: "User" }) });
const messageParams = z.object({ id: uuidParam });
const pageQuery = z.object({
  before: cursorParam.meta({ description: "Older than this message" }),
  after: cursorParam.meta({ description: "Newer than this message" }),
  limit: limitParam(50),
});
const offsetHeader = { "Stream-Next-Offset": "The feed position from which /v1/events goes on without gap or overlap" };

const sendResponses = {
  201: { description: "Stored (only with `Prefer: wait`)", body: MessageView, headers: { Location: "The task" } },
  202: {
    description: "Accepted: it will be stored, or its task says why not",
    body: AcceptedView,
    headers: { Location: "The task" },
  },
} as const;
const sendErrors = [
  "validation_failed",
  "idempotency_mismatch",
  "cancelled",
  "queue_unavailable",
  "database_unavailable",
  "overloaded",
] as const;

type SendBody = z.output<typeof SendMessageInput>;
type SendHints = z.output<typeof SendHeaders>;

/** Accept, and with `Prefer: wait=n` wait for the commit. */
async function send(target: Target, body: SendBody, headers: SendHints, scope: Scope) {
  const clientKey = oneKey(body.client_key, headers["idempotency-key"]);
  const { deps, caller, requestId } = scope;
  const accepted = await sendMessage({ senderId: caller.id, target, text: body.text, clientKey, requestId }, deps);
  const waitMs = preferredWaitMs(headers.prefer);
  const answerHeaders = {
    Location: `/v1/tasks/${accepted.id}`,
    ...(accepted.replayed && { "Idempotent-Replayed": "true" }),
  };
  const message = waitMs > 0 ? await waitForMessage(accepted.id, waitMs, scope) : undefined;
  if (message) return reply(201, message, answerHeaders);
  const queued = { task_id: accepted.id, message_id: accepted.id, status: "queued" as const };
  return reply(202, queued, answerHeaders);
}

function oneKey(inBody: string | undefined, inHeader: string | undefined): string | undefined {
  if (inBody !== undefined && inHeader !== undefined && inBody !== inHeader) {
    const errors = [{ path: "client_key", message: "differs from the Idempotency-Key header" }];
    throw new AppError("validation_failed", "client_key differs from the Idempotency-Key header", { errors });
  }
  return inBody ?? inHeader;
}

/** RFC 7240; what is not understood is not an error but not done either. */
function preferredWaitMs(prefer: string | undefined): number {
  const seconds = /(?:^|[,;\s])wait=(\d{1,3})(?:$|[,;\s])/.exec(prefer ?? "")?.[1];
  return Math.min(Number(seconds ?? 0), 55) * 1_000;
}

export const messageRoutes = [
  defineRoute({
    id: "sendToRoom",
    method: "post",
    path: "/v1/rooms/:id/messages",
    tag: "Messages",
    summary: "Send a message to a room",
    description:
      "Accepted at once with a task that can be followed. It is stored exactly once, or the task says why not; what is " +
      "sent again under the same key is the same message.",
    access: "caller",
    params: roomParams,
    headers: SendHeaders,
    body: SendMessageInput,
    responses: sendResponses,
    errors: [...sendErrors, "not_a_member", "room_not_found"],
    handle: ({ params, body, headers }, scope) => send({ roomId: params.id }, body, headers, scope),
  }),
  defineRoute({
    id: "sendToUser",
    method: "post",
    path: "/v1/users/:id/messages",
    tag: "Messages",
    summary: "Send a direct message",
    description: "As to a room. The direct room is made with the first message.",
    access: "caller",
    params: userParams,
    headers: SendHeaders,
    body: SendMessageInput,
    responses: sendResponses,
    errors: [...sendErrors, "user_not_found", "message_to_self"],
    handle: ({ params, body, headers }, scope) => send({ recipientId: params.id }, body, headers, scope),
  }),
  defineRoute({
    id: "listRoomMessages",
    method: "get",
    path: "/v1/rooms/:id/messages",
    tag: "Messages",
    summary: "The history of a room, newest first",
    access: "caller",
    params: roomParams,
    query: pageQuery,
    responses: { 200: { description: "A page", body: HistoryView, headers: { ...offsetHeader, Link: "next, prev" } } },
    errors: ["validation_failed", "not_a_member", "room_not_found", "database_unavailable"],
    async handle({ params, query }, scope) {
      const { body, headers } = await listRoomMessages(params.id, query, scope);
      return reply(200, body, headers);
    },
  }),
  defineRoute({
    id: "listUserMessages",
    method: "get",
    path: "/v1/users/:id/messages",
    tag: "Messages",
    summary: "The history with another user, newest first",
    access: "caller",
    params: userParams,
    query: pageQuery,
    responses: { 200: { description: "A page", body: HistoryView, headers: { ...offsetHeader, Link: "next, prev" } } },
    errors: ["validation_failed", "user_not_found", "database_unavailable"],
    async handle({ params, query }, scope) {
      const { body, headers } = await listUserMessages(params.id, query, scope);
      return reply(200, body, headers);
    },
  }),
  defineRoute({
    id: "findSent",
    method: "get",
    path: "/v1/messages",
    tag: "Messages",
    summary: "What became of what I sent under a key",
    description:
      "For a client that has lost the answer to its send. Under a key that stored a message it is found for as long as " +
      "the message exists; its task, also while it waits or when it has failed, for 48 hours.",
    access: "caller",
    query: z.object({ client_key: clientKey }),
    responses: { 200: { description: "The message and its task, as far as there are any", body: SentView } },
    errors: ["validation_failed", "queue_unavailable", "database_unavailable"],
    handle: async ({ query }, scope) => reply(200, await findSent(query.client_key, scope)),
  }),
  // Before /v1/messages/:id, which would take `unseen` for an id.
  defineRoute({
    id: "readUnseen",
    method: "get",
    path: "/v1/messages/unseen",
    tag: "Messages",
    summary: "What I have not seen; waits for it if asked to",
    description:
      "Waits up to `wait` seconds if there is nothing. Send the `ack` of the answer with the next poll: it marks " +
      "exactly what that answer held as seen. Messages come in commit order.",
    access: "caller",
    query: z.object({
      wait: waitParam,
      limit: limitParam(100),
      room_id: idParam.optional().meta({ description: "Only this room" }),
      ack: z.string().max(24_000).optional().meta({ description: "The `ack` of the answer before" }),
      device: deviceParam,
      mark_seen: flagParam.meta({ description: "Marks what is in this answer as seen" }),
      explain: flagParam.meta({ description: "Says which rooms and messages make up `unseen_count`" }),
    }),
    responses: { 200: { description: "What there is, or nothing once the time is up", body: UnseenView } },
    errors: ["validation_failed", "queue_unavailable", "database_unavailable"],
    async handle({ query }, scope) {
      const command = {
        waitMs: query.wait * 1_000,
        limit: query.limit,
        roomId: query.room_id,
        ack: decodeAck(query.ack, scope.deps.tail.epoch),
        markSeen: query.mark_seen,
        explain: query.explain,
        device: query.device,
      };
      return reply(200, new Raw(unseenJson(await readUnseen(command, scope))), { "Cache-Control": "no-store" });
    },
  }),
  defineRoute({
    id: "markSeen",
    method: "post",
    path: "/v1/messages/seen",
    tag: "Messages",
    summary: "Mark messages as seen",
    description: "Read pointers only advance: marking a message marks everything before it in its room.",
    access: "caller",
    body: MarkSeenInput,
    responses: { 202: { description: "Accepted", body: SeenAcceptedView, headers: { Location: "The task" } } },
    errors: [
      "validation_failed",
      "not_a_member",
      "room_not_found",
      "message_not_found",
      "queue_unavailable",
      "database_unavailable",
    ],
    async handle({ body }, scope) {
      const taskId = await markSeen(body, scope);
      return reply(202, { task_id: taskId, status: "queued" as const }, { Location: `/v1/tasks/${taskId}` });
    },
  }),
  defineRoute({
    id: "getMessage",
    method: "get",
    path: "/v1/messages/:id",
    tag: "Messages",
    summary: "One message",
    access: "caller",
    params: messageParams,
    responses: { 200: { description: "The message", body: MessageView } },
    errors: ["validation_failed", "message_not_found", "database_unavailable"],
    handle: async ({ params }, scope) => reply(200, await getMessage(params.id, scope)),
  }),
  defineRoute({
    id: "deleteMessage",
    method: "delete",
    path: "/v1/messages/:id",
    tag: "Messages",
    summary: "Delete a message of mine",
    description: "Its words are gone for everybody; its place stays. An admin may delete anybody's.",
    access: "caller",
    params: messageParams,
    responses: { 204: { description: "Done, also if it was deleted already" } },
    errors: ["validation_failed", "not_allowed", "message_not_found", "database_unavailable"],
    async handle({ params }, scope) {
      await deleteMessage(params.id, scope);
      return reply(204);
    },
  }),
  defineRoute({
    id: "getReceipts",
    method: "get",
    path: "/v1/messages/:id/receipts",
    tag: "Messages",
    summary: "Who saw a message, and when",
    access: "caller",
    params: messageParams,
    responses: { 200: { description: "The receipts", body: ReceiptsView } },
    errors: ["validation_failed", "message_not_found", "database_unavailable"],
    handle: async ({ params }, scope) => reply(200, await getReceipts(params.id, scope)),
  }),
  defineRoute({
    id: "getTrace",
    method: "get",
    path: "/v1/messages/:id/trace",
    tag: "Messages",
    summary: "The way of a message: accepted, attempted, stored, delivered, seen",
    description: "For its sender, and for admins. It is there from the 202 on, also if the message was never stored.",
    access: "caller",
    params: messageParams,
    responses: { 200: { description: "The way so far", body: TraceView } },
    errors: ["validation_failed", "message_not_found", "queue_unavailable", "database_unavailable"],
    handle: async ({ params }, scope) => reply(200, await getTrace(params.id, scope)),
  }),
];
