import Router from "@koa/router";
import type { Context, Middleware } from "koa";
import type { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { allowedMethods } from "../http/allowed-methods.ts";
import { Gone } from "../http/gone.ts";
import { scopeOf } from "../http/mount.ts";
import type { Scope } from "../http/route.ts";
import { parse } from "../http/validation.ts";
import { sendMessage, type Target } from "../messages/send-message.ts";
import { deleteMember, putMember } from "../rooms/change-members.ts";
import { createRoom } from "../rooms/create-room.ts";
import { readAllUnseen, readRoom, taskState } from "./messages.ts";
import { envelope, presentRoom } from "./present.ts";
import { isIn, publicRoom, publicRooms, roomForMember, roomsOf, roomWithMembers } from "./rooms.ts";
import {
  acting,
  maybeActing,
  newMessage,
  newRoom,
  newUser,
  pathId,
  retryKey,
  userFilters,
  waiting,
} from "./schemas.ts";
import { createClassicUser, listClassicUsers } from "./users.ts";

/** The paths of a service that existed before, translated onto the functions of /v1; nothing is decided here. */
export function classicRouter(deps: ApiDeps): Middleware {
  const router = new Router();
  addUsers(router, deps);
  addRooms(router, deps);
  addMessages(router, deps);
  const routes = router.routes();
  const refuse = allowedMethods(router);
  return (ctx) => routes(ctx as never, () => refuse(ctx, () => unknownPath(ctx)) as Promise<void>);
}

const unknownPath = (ctx: Context): never => {
  throw new AppError("route_not_found", `Nothing is at ${ctx.path}`);
};

function addUsers(router: Router, deps: ApiDeps): void {
  router.get("/users", async (ctx) => {
    const { page, hit } = await listClassicUsers(query(ctx, userFilters), deps);
    ctx.type = "application/json; charset=utf-8";
    // As in /v1: nobody keeps what the server could not take back.
    ctx.set({ "X-Cache": hit ? "HIT" : "MISS", "Cache-Control": "private, no-cache" });
    ctx.body = page.json;
  });
  router.post("/users", async (ctx) => {
    ctx.body = await createClassicUser(body(ctx, newUser), deps);
    ctx.status = 201;
  });
}

function addRooms(router: Router, deps: ApiDeps): void {
  router.get("/chat/chatroom", async (ctx) => {
    const { user_id } = query(ctx, maybeActing);
    if (user_id === undefined) ctx.body = envelope(await publicRooms(deps.em));
    else ctx.body = envelope((await roomsOf((await act(ctx, user_id, deps)).caller.id, deps)).map(presentRoom));
  });
  router.post("/chat/chatroom", async (ctx) => {
    const { room_name, room_member } = body(ctx, newRoom);
    const member_usernames = room_member.map(({ username }) => username);
    const command = { name: room_name, is_public: true, member_ids: [], member_usernames };
    const id = await createRoom(command, undefined, deps);
    ctx.body = envelope(presentRoom(await roomWithMembers(id, deps)));
  });
  router.get("/chat/chatroom/:id", async (ctx) => {
    const { id } = params(ctx);
    const { user_id } = query(ctx, maybeActing);
    ctx.body = envelope(
      user_id === undefined
        ? await publicRoom(id, deps)
        : presentRoom(await roomForMember(id, await act(ctx, user_id, deps))),
    );
  });
  router.put("/chat/chatroom/:id", async (ctx) => {
    const { id } = params(ctx);
    const scope = await act(ctx, query(ctx, acting).user_id, deps);
    await assertCanJoin(id, scope);
    await putMember(id, scope.caller.id, scope);
    ctx.body = { status: 200, message: "HTTP_200_OK" };
  });
  router.delete("/chat/chatroom/:id", async (ctx) => {
    const { id } = params(ctx);
    const scope = await act(ctx, query(ctx, acting).user_id, deps);
    await deleteMember(id, scope.caller.id, scope).catch((error: unknown) => {
      if (!(error instanceof AppError && error.code === "not_a_member")) throw error;
      throw badRequest(`User ${scope.caller.username} is not part of this group`);
    });
    ctx.status = 204;
  });
}

/** Said here in the words of these paths, and with their status; what is decided stays with `putMember`. */
async function assertCanJoin(id: number, { caller, deps }: Scope): Promise<void> {
  const room = await roomWithMembers(id, deps);
  if (room.kind === "direct") throw badRequest("Can't join a private chat");
  if (isIn(room, caller.id)) throw badRequest(`User ${caller.username} is already part of this group`);
}

const badRequest = (text: string): AppError => new AppError("validation_failed", text);

function addMessages(router: Router, deps: ApiDeps): void {
  const send = async (ctx: Context, target: Target): Promise<void> => {
    const { from, text } = body(ctx, newMessage);
    const { "idempotency-key": clientKey } = parse(retryKey, ctx.headers);
    const { caller, requestId } = await act(ctx, from, deps);
    const { id } = await sendMessage({ senderId: caller.id, target, text, clientKey, requestId }, deps);
    ctx.body = envelope(id);
  };
  router.post("/chat/user/:id", (ctx) => send(ctx, { recipientId: params(ctx).id }));
  router.post("/chat/group/:id", (ctx) => send(ctx, { roomId: params(ctx).id }));
  // Before /chat/messages/:id, which would take `unseen` for an id.
  router.get("/chat/messages/unseen", async (ctx) => {
    const { user_id, wait } = query(ctx, waiting);
    ctx.body = envelope(await readAllUnseen(wait * 1_000, await act(ctx, user_id, deps)));
  });
  router.get("/chat/messages/:id", async (ctx) => {
    const { id } = params(ctx);
    ctx.body = envelope(await readRoom(id, await act(ctx, query(ctx, acting).user_id, deps)));
  });
  router.get("/chat/task_state/:id", async (ctx: Context) => {
    ctx.body = await taskState(String(ctx["params"].id).toLowerCase(), goneOf(ctx), deps);
  });
}

const params = (ctx: Context) => parse(pathId, ctx["params"]);
const query = <S extends z.ZodType>(ctx: Context, schema: S) => parse(schema, { ...ctx.query });
const body = <S extends z.ZodType>(ctx: Context, schema: S) => parse(schema, ctx.request["body"] ?? {});

function goneOf(ctx: Context): Gone {
  const gone = new Gone(ctx.res);
  ctx.state["gone"] = gone;
  return gone;
}

/** The user in whose name the call is made. */
async function act(ctx: Context, userId: number, deps: ApiDeps): Promise<Scope> {
  const caller = await deps.directory.account(userId);
  if (!caller) throw new AppError("user_not_found", "User matching query does not exist.");
  ctx.state["userId"] = caller.id;
  return scopeOf(ctx, { ...caller, credential: `user:${caller.id}` }, goneOf(ctx), deps);
}
