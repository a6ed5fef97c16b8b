import { z } from "zod";
import { defineRoute, reply } from "../http/route.ts";
import { idParam } from "../http/schemas.ts";
import { deleteMember, putMember } from "./change-members.ts";
import { createRoom } from "./create-room.ts";
import { getRoom, listMyRooms, listPublicRooms, readRoom } from "./list-rooms.ts";
import { CreateRoomInput, ListRoomsQuery, MyRoomsView, PublicRoomsView, RoomView, UpdateRoomInput } from "./schemas.ts";
import { deleteRoom, updateRoom } from "./update-room.ts";

const params = z.object({ id: idParam });
const memberParams = z.object({ id: idParam, user_id: idParam });
const roomErrors = ["validation_failed", "not_a_member", "room_not_found", "database_unavailable"] as const;

export const roomRoutes = [
  defineRoute({
    id: "createRoom",
    method: "post",
    path: "/v1/rooms",
    tag: "Rooms",
    summary: "Create a group",
    description: "The creator owns it. A member that does not exist is an error, and then there is no room.",
    access: "caller",
    body: CreateRoomInput,
    responses: { 201: { description: "The new room", body: RoomView, headers: { Location: "The room" } } },
    errors: ["validation_failed", "user_not_found", "room_name_taken", "database_unavailable"],
    async handle({ body }, scope) {
      const id = await createRoom(body, scope.caller.id, scope.deps);
      return reply(201, await getRoom(id, scope), { Location: `/v1/rooms/${id}` });
    },
  }),
  defineRoute({
    id: "listRooms",
    method: "get",
    path: "/v1/rooms",
    tag: "Rooms",
    summary: "My rooms, or the public ones",
    description: "Mine come with the newest message first; public ones by id.",
    access: "caller",
    query: ListRoomsQuery,
    responses: {
      200: {
        description: "A page of rooms",
        body: z.union([MyRoomsView, PublicRoomsView]),
        headers: { "Stream-Next-Offset": "The feed position from which /v1/events goes on (mine only)", Link: "next" },
      },
    },
    errors: ["validation_failed", "database_unavailable"],
    async handle({ query }, scope) {
      const list =
        query.scope === "public" ? await listPublicRooms(query, scope.deps) : await listMyRooms(query, scope);
      return reply(200, list.body, list.headers);
    },
  }),
  defineRoute({
    id: "getRoom",
    method: "get",
    path: "/v1/rooms/:id",
    tag: "Rooms",
    summary: "One room, with how far each member has seen",
    access: "caller",
    params,
    responses: { 200: { description: "The room", body: RoomView } },
    errors: roomErrors,
    handle: async ({ params: { id } }, scope) => reply(200, await readRoom(id, scope)),
  }),
  defineRoute({
    id: "updateRoom",
    method: "patch",
    path: "/v1/rooms/:id",
    tag: "Rooms",
    summary: "Rename a room, or make it public or private",
    access: "caller",
    params,
    body: UpdateRoomInput,
    responses: { 200: { description: "The room as it is now", body: RoomView } },
    errors: [...roomErrors, "not_allowed", "room_is_direct", "room_name_taken"],
    async handle({ params: { id }, body }, scope) {
      await updateRoom(id, body, scope);
      return reply(200, await getRoom(id, scope));
    },
  }),
  defineRoute({
    id: "deleteRoom",
    method: "delete",
    path: "/v1/rooms/:id",
    tag: "Rooms",
    summary: "Delete a room and all that was said in it",
    description: "Its owner may, and an admin.",
    access: "caller",
    params,
    responses: { 204: { description: "Done" } },
    errors: [...roomErrors, "not_allowed", "room_is_direct"],
    async handle({ params: { id } }, scope) {
      await deleteRoom(id, scope);
      return reply(204);
    },
  }),
  defineRoute({
    id: "putMember",
    method: "put",
    path: "/v1/rooms/:id/members/:user_id",
    tag: "Rooms",
    summary: "Join a public room (me), or add somebody to a room I am in",
    description: "Who is a member already stays one.",
    access: "caller",
    params: memberParams,
    responses: { 200: { description: "The room as it is now", body: RoomView } },
    errors: [...roomErrors, "user_not_found", "room_is_direct"],
    async handle({ params: { id, user_id } }, scope) {
      await putMember(id, user_id, scope);
      return reply(200, await getRoom(id, scope));
    },
  }),
  defineRoute({
    id: "deleteMember",
    method: "delete",
    path: "/v1/rooms/:id/members/:user_id",
    tag: "Rooms",
    summary: "Leave a room (me), or remove somebody from a room I own",
    description: "An owner who leaves hands over to who has been there longest; a group that becomes empty is deleted.",
    access: "caller",
    params: memberParams,
    responses: { 204: { description: "Done" } },
    errors: [...roomErrors, "not_allowed", "member_not_found", "room_is_direct"],
    async handle({ params: { id, user_id } }, scope) {
      await deleteMember(id, user_id, scope);
      return reply(204);
    },
  }),
];
