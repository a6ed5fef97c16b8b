import type { Context } from "koa";
import { AppError } from "../../shared/errors.ts";
import { isId } from "../../shared/ids.ts";
import type { KnownClient } from "../auth/credentials.ts";
import { hashSecret, isSameHash, prefixes } from "../auth/secrets.ts";
import type { ApiDeps } from "../deps.ts";
import { queryOf } from "./query.ts";
import type { Account, Caller, Route } from "./route.ts";
import { idParam } from "./schemas.ts";
import { invalid } from "./validation.ts";

type Shown = Pick<Caller, "credential" | "scopes" | "expiresAt"> & { readonly userId: number };

/** The one place that says who is asking, and whether they may ask this at all. */
export async function identify(
  route: Pick<Route, "access" | "method">,
  ctx: Context,
  deps: ApiDeps,
): Promise<Caller | undefined> {
  if (route.access === "public") return undefined;
  const shown = await showsWho(ctx, deps);
  if (!shown) {
    const demo = deps.env.AUTH_MODE === "demo";
    if (demo && route.access === "caller-or-demo") return undefined;
    throw notSignedIn(demo ? "Say who is asking: ?user_id=1 or an X-User-Id header" : "A token is needed");
  }
  const { userId, ...how } = shown;
  const account = await deps.directory.account(userId);
  if (!account) throw notSignedIn(`No user has the id ${userId}`);
  const caller = withScopes(account, how);
  ctx.state["userId"] = caller.id;
  ctx.state["credential"] = caller.credential;
  assertMayAsk(route, caller);
  return caller;
}

async function showsWho(ctx: Context, deps: ApiDeps): Promise<Shown | undefined> {
  const authorization = onlyValue(ctx, "authorization");
  const apiKey = onlyValue(ctx, "x-api-key");
  if (authorization !== undefined) return bearer(authorization, deps);
  if (apiKey !== undefined) return keyHolder(apiKey, onlyValue(ctx, "x-act-as"), deps);
  return deps.env.AUTH_MODE === "demo" ? demoUser(ctx) : undefined;
}

/** A header given twice says two things, and it is not ours to choose. */
function onlyValue(ctx: Context, name: string): string | undefined {
  const { headers, rawHeaders } = ctx.req;
  const value = headers[name];
  if (value === undefined) return undefined;
  // Names and values take turns in the raw list.
  const times = rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === name).length;
  if (times > 1) throw invalid([{ path: name, message: "is given more than once" }]);
  return String(value);
}

async function bearer(authorization: string, deps: ApiDeps): Promise<Shown> {
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (token === undefined) throw tokenProblem("The Authorization header must be: Bearer <token>");
  if (token.startsWith(prefixes.apiToken)) {
    const { id, userId, expiresAt } = await deps.credentials.token(hashSecret(token));
    return { userId, credential: `token:${id}`, expiresAt: expiresAt?.getTime() };
  }
  const { sessionId, userId, expiresAt } = await deps.accessTokens.verify(token);
  const session = await deps.credentials.session(sessionId);
  if (session.userId !== userId) throw tokenProblem("The token is not one of ours");
  return { userId, credential: `session:${sessionId}`, expiresAt };
}

/** `X-API-Key: <id>:<secret>`, in the name of the user in `X-Act-As`. */
async function keyHolder(apiKey: string, actAs: string | undefined, deps: ApiDeps): Promise<Shown> {
  const [given, secret, ...more] = apiKey.split(":");
  const id = given?.toLowerCase();
  const client = id && secret && more.length === 0 && isId(id) ? await deps.credentials.client(id) : undefined;
  if (!client || !hasSecret(client, secret!)) throw tokenProblem("The API key is not one of ours, or was revoked");
  const user = idParam.safeParse(actAs);
  if (!user.success) {
    const message = actAs === undefined ? "is required with an API key" : user.error.issues[0]!.message;
    throw invalid([{ path: "X-Act-As", message }]);
  }
  deps.credentials.touchClient(client.id);
  return { userId: user.data, credential: `client:${client.id}`, scopes: client.scopes };
}

const hasSecret = (client: KnownClient, secret: string): boolean => isSameHash(client.secretHash, hashSecret(secret));

/** Demo mode believes whoever speaks; that is why it listens on loopback only. */
function demoUser(ctx: Context): Shown | undefined {
  const claims = [
    ["X-User-Id", ctx.get("x-user-id") || undefined],
    ["user_id", queryOf(ctx)["user_id"]],
    ["from", ctx.state["from"]],
  ] as const;
  const [path, value] = claims.find(([, given]) => given !== undefined) ?? [];
  if (path === undefined) return undefined;
  const id = idParam.safeParse(typeof value === "number" ? String(value) : value);
  if (!id.success) throw invalid([{ path, message: id.error.issues[0]!.message }]);
  return { userId: id.data, credential: `user:${id.data}` };
}

/** A key is an admin's only if it was made for that. */
const withScopes = (account: Account, how: Omit<Shown, "userId">): Caller => ({
  ...account,
  ...how,
  isAdmin: account.isAdmin && (how.scopes?.includes("admin") ?? true),
});

function assertMayAsk({ access, method }: Pick<Route, "access" | "method">, { scopes, isAdmin }: Caller): void {
  const needed = access === "admin" ? "admin" : method === "get" ? "read" : "write";
  if (scopes && !scopes.includes(needed)) {
    throw new AppError("insufficient_scope", `The key needs the scope ${needed}`, {
      headers: { "WWW-Authenticate": `Bearer realm="parley", error="insufficient_scope", scope="${needed}"` },
    });
  }
  if (access === "admin" && !isAdmin) throw new AppError("not_allowed", "Only an admin may do this");
}

const tokenProblem = (detail: string): AppError => new AppError("token_invalid", detail);
const notSignedIn = (detail: string): AppError => new AppError("not_signed_in", detail);
