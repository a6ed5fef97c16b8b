import { z } from "zod";
import { defineRoute, reply } from "../http/route.ts";
import { idParam, uuidParam } from "../http/schemas.ts";
import { listActions } from "./actions.ts";
import { banUser, signOutEverywhere, unbanUser } from "./bans.ts";
import { lookAtHealth } from "./health.ts";
import { jobRoutes } from "./job-routes.ts";
import { getAdminRoom, getReported, listAdminRooms, listGroupMessages } from "./rooms.ts";
import {
  ActionsView,
  AdminRoomsView,
  AdminRoomView,
  AdminUsersView,
  AdminUserView,
  AdminUserWithAccessView,
  BanInput,
  GroupMessagesQuery,
  GroupMessagesView,
  HealthView,
  ListActionsQuery,
  ListAdminRoomsQuery,
  ListAdminUsersQuery,
  ReportedView,
} from "./schemas.ts";
import { getAdminUser, getAdminUserWithAccess, listAdminUsers } from "./users.ts";

const params = z.object({ id: idParam });
const tag = "Admin";
const access = "admin";
const errors = ["validation_failed", "database_unavailable"] as const;

/** What the desk at /admin asks for; what there is for everybody already (rooms, messages, clients) is asked for there. */
export const adminRoutes = [
  defineRoute({
    id: "listAdminUsers",
    method: "get",
    path: "/v1/admin/users",
    tag,
    summary: "Everybody there is and was, the newest first",
    access,
    query: ListAdminUsersQuery,
    responses: { 200: { description: "A page of users", body: AdminUsersView } },
    errors,
    handle: async ({ query }, { deps }) => reply(200, await listAdminUsers(query, deps)),
  }),
  defineRoute({
    id: "getAdminUser",
    method: "get",
    path: "/v1/admin/users/:id",
    tag,
    summary: "One user, with their sessions and the tokens of their bots",
    access,
    params,
    responses: { 200: { description: "The user", body: AdminUserWithAccessView } },
    errors: [...errors, "user_not_found"],
    handle: async ({ params: { id } }, { deps }) => reply(200, await getAdminUserWithAccess(id, deps)),
  }),
  defineRoute({
    id: "banUser",
    method: "put",
    path: "/v1/admin/users/:id/ban",
    tag,
    summary: "Ban a user",
    description:
      "At once and everywhere: sessions, sockets, parked reads and bots' tokens end, and nothing acts for them any " +
      "more. What they said stays, and so do they in their rooms; what was accepted before is stored.",
    access,
    params,
    body: BanInput,
    responses: { 200: { description: "The user as they are now", body: AdminUserView } },
    errors: [...errors, "user_not_found"],
    async handle({ params: { id }, body }, scope) {
      await banUser(id, body.reason, scope);
      return reply(200, await getAdminUser(id, scope.deps));
    },
  }),
  defineRoute({
    id: "unbanUser",
    method: "delete",
    path: "/v1/admin/users/:id/ban",
    tag,
    summary: "Let a user in again",
    description: "They may sign in; what the ban has ended stays so.",
    access,
    params,
    responses: { 204: { description: "Done, also if they were not banned" } },
    errors: [...errors, "user_not_found"],
    async handle({ params: { id } }, scope) {
      await unbanUser(id, scope);
      return reply(204);
    },
  }),
  defineRoute({
    id: "signOutEverywhere",
    method: "delete",
    path: "/v1/admin/users/:id/sessions",
    tag,
    summary: "End all sessions of a user, and the tokens of their bots",
    access,
    params,
    responses: { 204: { description: "Done" } },
    errors: [...errors, "user_not_found"],
    async handle({ params: { id } }, scope) {
      await signOutEverywhere(id, scope);
      return reply(204);
    },
  }),
  defineRoute({
    id: "listAdminRooms",
    method: "get",
    path: "/v1/admin/rooms",
    tag,
    summary: "Every room, the newest first",
    access,
    query: ListAdminRoomsQuery,
    responses: { 200: { description: "A page of rooms", body: AdminRoomsView } },
    errors,
    handle: async ({ query }, { deps }) => reply(200, await listAdminRooms(query, deps)),
  }),
  defineRoute({
    id: "getAdminRoom",
    method: "get",
    path: "/v1/admin/rooms/:id",
    tag,
    summary: "One room, and who is in it",
    access,
    params,
    responses: { 200: { description: "The room", body: AdminRoomView } },
    errors: [...errors, "room_not_found"],
    handle: async ({ params: { id } }, { deps }) => reply(200, await getAdminRoom(id, deps)),
  }),
  defineRoute({
    id: "listGroupMessages",
    method: "get",
    path: "/v1/admin/rooms/:id/messages",
    tag,
    summary: "What is said in a group, the newest first",
    description: "Of a direct room nothing is shown.",
    access,
    params,
    query: GroupMessagesQuery,
    responses: { 200: { description: "A page", body: GroupMessagesView } },
    errors: [...errors, "room_not_found", "room_is_direct"],
    handle: async ({ params: { id }, query }, { deps }) => reply(200, await listGroupMessages(id, query, deps)),
  }),
  defineRoute({
    id: "getReported",
    method: "get",
    path: "/v1/admin/messages/:id",
    tag,
    summary: "A message that was reported: where and by whom it was said",
    access,
    params: z.object({ id: uuidParam }),
    responses: { 200: { description: "The message", body: ReportedView } },
    errors: [...errors, "message_not_found"],
    handle: async ({ params: { id } }, { deps }) => reply(200, await getReported(id, deps)),
  }),
  ...jobRoutes,
  defineRoute({
    id: "listActions",
    method: "get",
    path: "/v1/admin/actions",
    tag,
    summary: "What admins have done, the latest first",
    access,
    query: ListActionsQuery,
    responses: { 200: { description: "A page", body: ActionsView } },
    errors,
    handle: async ({ query }, scope) => reply(200, await listActions(query, scope)),
  }),
  defineRoute({
    id: "lookAtHealth",
    method: "get",
    path: "/v1/admin/health",
    tag,
    summary: "What /readyz says, and what stands behind it",
    access,
    responses: { 200: { description: "As it is seen from this process", body: HealthView } },
    errors: ["validation_failed", "database_unavailable"],
    handle: async (_, { deps }) => reply(200, await lookAtHealth(deps)),
  }),
];
