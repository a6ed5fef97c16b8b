import { z } from "zod";
import { queueUnavailable } from "../../shared/jobs/enqueue.ts";
import { assertMayInRoom } from "../../shared/policies.ts";
import { defineRoute, reply, type Scope } from "../http/route.ts";
import { id, idParam } from "../http/schemas.ts";
import { readEvents } from "./read-events.ts";
import { EntriesView, FeedHeaders, FeedQuery } from "./schemas.ts";

const feedHeaders = {
  "Stream-Next-Offset": "Go on from here",
  "Stream-Up-To-Date": "`true` at the end of the log",
  "Stream-Cursor": "Send it as `cursor` with the next live read",
  "Parley-Lately": "On a live answer: who types and who came or went, as a JSON array of `{type, data}`",
};
const feedResponses = {
  200: {
    description: "Entries, at most 500; with `live=sse` a stream of `data` and `control` events",
    body: EntriesView,
    headers: feedHeaders,
  },
  204: { description: "Nothing came within the time (`live=long-poll`)", headers: feedHeaders },
} as const;
const feedErrors = ["validation_failed", "offset_gone", "database_unavailable"] as const;
const feedDescription =
  "The read half of the Durable Streams protocol, in JSON. Without `live` it tells what there is; with it, also what " +
  "comes. A cursor works on any process and over any transport, for as long as the log is kept.";

const roomParams = z.object({ id: idParam });

async function assertReads(roomId: number, { caller, deps }: Scope): Promise<void> {
  assertMayInRoom("read", roomId, await deps.directory.standing(roomId, caller.id));
}

export const eventRoutes = [
  defineRoute({
    id: "readEvents",
    method: "get",
    path: "/v1/events",
    tag: "Events",
    summary: "Everything that changes for me",
    description: feedDescription,
    access: "caller",
    query: FeedQuery,
    headers: FeedHeaders,
    responses: feedResponses,
    errors: feedErrors,
    handle: ({ query, headers }, scope) =>
      readEvents({ ...query, roomId: undefined, lastEventId: headers["last-event-id"] }, scope),
  }),
  defineRoute({
    id: "readRoomEvents",
    method: "get",
    path: "/v1/rooms/:id/events",
    tag: "Events",
    summary: "Everything that changes in one room",
    description: feedDescription,
    access: "caller",
    params: roomParams,
    query: FeedQuery,
    headers: FeedHeaders,
    responses: feedResponses,
    errors: [...feedErrors, "not_a_member", "room_not_found"],
    async handle({ params, query, headers }, scope) {
      await assertReads(params.id, scope);
      return readEvents({ ...query, roomId: params.id, lastEventId: headers["last-event-id"] }, scope);
    },
  }),
  defineRoute({
    id: "typing",
    method: "post",
    path: "/v1/rooms/:id/typing",
    tag: "Events",
    summary: "Tell those who are there that I am typing",
    access: "caller",
    params: roomParams,
    responses: { 204: { description: "Told, or told a moment ago" } },
    errors: ["validation_failed", "not_a_member", "room_not_found", "database_unavailable"],
    async handle({ params }, scope) {
      assertMayInRoom("post", params.id, await scope.deps.directory.standing(params.id, scope.caller.id));
      await scope.deps.ephemeral.typing(scope.caller.id, params.id);
      return reply(204);
    },
  }),
  defineRoute({
    id: "getPresence",
    method: "get",
    path: "/v1/presence",
    tag: "Events",
    summary: "Who is online",
    description: "Online is who has a read parked or a stream or socket open, and for 30 seconds after.",
    access: "caller",
    query: z.object({
      user_ids: z
        .string()
        .regex(/^[1-9]\d{0,14}(,[1-9]\d{0,14}){0,199}$/, "must be ids with commas between, 200 at most")
        .transform((list) => [...new Set(list.split(",").map(Number))])
        .meta({ description: "Ids with commas between, 200 at most", type: "string" }),
    }),
    responses: {
      200: {
        description: "Each of the users that were asked for",
        body: z.object({ presence: z.array(z.object({ user_id: id, online: z.boolean() })) }),
      },
    },
    errors: ["validation_failed", "queue_unavailable", "database_unavailable"],
    async handle({ query }, { deps }) {
      const online = await deps.ephemeral.isOnline(query.user_ids).catch((cause: unknown) => {
        throw queueUnavailable(deps.log, cause);
      });
      const presence = query.user_ids.map((user_id) => ({ user_id, online: online.get(user_id) === true }));
      return reply(200, { presence });
    },
  }),
];
