import type { Context } from "koa";
import { AppError } from "../../shared/errors.ts";
import type { ApiDeps } from "../deps.ts";
import type { Caller, Route } from "./route.ts";
import { idParam } from "./schemas.ts";
import { invalid } from "./validation.ts";

/** The one place that says who is asking. */
export async function identify(route: Route, ctx: Context, deps: ApiDeps): Promise<Caller | undefined> {
  if (route.access === "public") return undefined;
  const demo = deps.env.AUTH_MODE === "demo";
  const claim = demo ? demoClaim(ctx) : undefined;
  if (!claim) {
    if (demo && route.access === "caller-or-demo") return undefined;
    throw notSignedIn(demo ? "Say who is asking: ?user_id=1 or an X-User-Id header" : "A token is needed");
  }
  const id = idParam.safeParse(claim.value);
  if (!id.success) throw invalid([{ path: claim.path, message: id.error.issues[0]!.message }]);
  const caller = await deps.directory.user(id.data);
  if (!caller) throw notSignedIn(`No user has the id ${id.data}`);
  ctx.state["userId"] = caller.id;
  return caller;
}

/** Demo mode believes whoever speaks; that is why it listens on loopback only. */
function demoClaim(ctx: Context): { path: string; value: string } | undefined {
  const query = ctx.query["user_id"];
  const claims = [
    ["X-User-Id", ctx.get("x-user-id") || undefined],
    ["user_id", Array.isArray(query) ? query.at(-1) : query],
    ["from", ctx.state["from"]],
  ] as const;
  const [path, value] = claims.find(([, given]) => given !== undefined) ?? [];
  return path === undefined ? undefined : { path, value: String(value) };
}

const notSignedIn = (detail: string): AppError =>
  new AppError("not_signed_in", detail, { headers: { "WWW-Authenticate": "Bearer" } });
