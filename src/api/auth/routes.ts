import { AppError } from "../../shared/errors.ts";
import { defineRoute, reply, type Scope } from "../http/route.ts";
import { login } from "./login.ts";
import {
  ApiTokensView,
  CreateTokenInput,
  LoginInput,
  NewApiTokenView,
  RefreshInput,
  SessionsView,
  SignedInView,
  sessionParams,
  tokenParams,
} from "./schemas.ts";
import { endSession, listSessions, refreshSession } from "./sessions.ts";
import { createTicket, TicketView } from "./tickets.ts";
import { createToken, listTokens, revokeToken } from "./tokens.ts";

/** What signs in is never kept by anybody on the way. */
const noStore = { "Cache-Control": "no-store" };

/** The session that the request came with; a request with a token or a key comes with none. */
function ownSession({ caller }: Scope): string | undefined {
  return caller.credential.startsWith("session:") ? caller.credential.slice("session:".length) : undefined;
}

export const authRoutes = [
  defineRoute({
    id: "login",
    method: "post",
    path: "/v1/auth/login",
    tag: "Sign-in",
    summary: "Sign in with a username or an e-mail address",
    description: "The access token is good for 15 minutes, the refresh token for one use within 30 days.",
    access: "public",
    budget: "logins",
    body: LoginInput,
    responses: { 200: { description: "Signed in", body: SignedInView } },
    errors: ["validation_failed", "wrong_credentials", "account_banned", "database_unavailable"],
    async handle({ body }, { deps, client }) {
      return reply(200, await login({ ...body, ...client }, deps), noStore);
    },
  }),
  defineRoute({
    id: "refresh",
    method: "post",
    path: "/v1/auth/refresh",
    tag: "Sign-in",
    summary: "A new access token for a refresh token",
    description: "Each refresh token is good for one use; a second use, later than a few seconds, ends the session.",
    access: "public",
    budget: "logins",
    body: RefreshInput,
    responses: { 200: { description: "Signed in anew", body: SignedInView } },
    errors: ["validation_failed", "token_invalid", "session_ended", "database_unavailable"],
    handle: async ({ body }, { deps }) => reply(200, await refreshSession(body.refresh_token, deps), noStore),
  }),
  defineRoute({
    id: "logout",
    method: "post",
    path: "/v1/auth/logout",
    tag: "Sign-in",
    summary: "End this session",
    description: "At once: the access token is good for nothing any more, and reads that are parked with it end.",
    access: "caller",
    responses: { 204: { description: "Done" } },
    errors: ["validation_failed", "session_not_found", "database_unavailable"],
    async handle(_, scope) {
      const id = ownSession(scope);
      if (id === undefined) throw new AppError("session_not_found", "This request came without a session");
      await endSession(id, scope.caller.id, scope.deps);
      return reply(204);
    },
  }),
  defineRoute({
    id: "createTicket",
    method: "post",
    path: "/v1/auth/ticket",
    tag: "Sign-in",
    summary: "A ticket for a WebSocket, or for the queue's page",
    description:
      "For browsers, which cannot send headers with either: `/v1/ws?ticket=…`, or for admins `/admin/queues?ticket=…`, " +
      "once, within 30 seconds.",
    access: "caller",
    responses: { 201: { description: "The ticket", body: TicketView } },
    errors: ["validation_failed", "queue_unavailable", "database_unavailable"],
    handle: async (_, { caller, deps }) => reply(201, await createTicket(caller, deps), noStore),
  }),
  defineRoute({
    id: "listSessions",
    method: "get",
    path: "/v1/auth/sessions",
    tag: "Sign-in",
    summary: "Where I am signed in",
    access: "caller",
    responses: { 200: { description: "My sessions, the newest first", body: SessionsView } },
    errors: ["validation_failed", "database_unavailable"],
    async handle(_, scope) {
      return reply(200, { sessions: await listSessions(scope.caller.id, ownSession(scope), scope.deps) });
    },
  }),
  defineRoute({
    id: "endSession",
    method: "delete",
    path: "/v1/auth/sessions/:id",
    tag: "Sign-in",
    summary: "End one of my sessions",
    access: "caller",
    params: sessionParams,
    responses: { 204: { description: "Done" } },
    errors: ["validation_failed", "session_not_found", "database_unavailable"],
    async handle({ params }, { caller, deps }) {
      await endSession(params.id, caller.id, deps);
      return reply(204);
    },
  }),
  defineRoute({
    id: "createToken",
    method: "post",
    path: "/v1/auth/tokens",
    tag: "Sign-in",
    summary: "A token for a bot",
    access: "caller",
    body: CreateTokenInput,
    responses: { 201: { description: "The token, shown this once", body: NewApiTokenView } },
    errors: ["validation_failed", "database_unavailable"],
    async handle({ body }, scope) {
      return reply(201, await createToken(scope, body.name, body.expires_at ?? null), noStore);
    },
  }),
  defineRoute({
    id: "listTokens",
    method: "get",
    path: "/v1/auth/tokens",
    tag: "Sign-in",
    summary: "My tokens, with their last use",
    access: "caller",
    responses: { 200: { description: "My tokens, without their secrets", body: ApiTokensView } },
    errors: ["validation_failed", "database_unavailable"],
    handle: async (_, { caller, deps }) => reply(200, { tokens: await listTokens(caller.id, deps) }),
  }),
  defineRoute({
    id: "revokeToken",
    method: "delete",
    path: "/v1/auth/tokens/:id",
    tag: "Sign-in",
    summary: "Revoke a token",
    access: "caller",
    params: tokenParams,
    responses: { 204: { description: "Done" } },
    errors: ["validation_failed", "token_not_found", "database_unavailable"],
    async handle({ params }, { caller, deps }) {
      await revokeToken(params.id, caller.id, deps);
      return reply(204);
    },
  }),
];
