import type { Context } from "koa";
import { AppError } from "../../shared/errors.ts";
import { queueUnavailable } from "../../shared/jobs/enqueue.ts";
import { keys, ttl } from "../../shared/store/store.ts";
import { hashSecret, newSecret } from "../auth/secrets.ts";
import type { ApiDeps } from "../deps.ts";
import type { Caller } from "../http/route.ts";

const COOKIE = "parley_admin";
type Kept = Pick<Caller, "id" | "credential" | "scopes">;

const keyOf = (secret: string): string => keys.adminSession(hashSecret(secret).toString("base64url"));

/** For a browser, which can send no header with a page: a quarter of an hour, here and nowhere else. */
export async function openBrowserSession(ctx: Context, caller: Caller, path: string, deps: ApiDeps): Promise<void> {
  const { id, credential, scopes } = caller;
  const secret = newSecret("pla_");
  const kept: Kept = { id, credential, scopes };
  await deps.backend.store.set(keyOf(secret), JSON.stringify(kept), ttl.adminSessionMs).catch((cause: unknown) => {
    throw queueUnavailable(deps.log, cause);
  });
  const options = { httpOnly: true, sameSite: "strict", overwrite: true, secure: ctx.secure } as const;
  ctx.cookies.set(COOKIE, secret, { ...options, path, maxAge: ttl.adminSessionMs });
}

/** It ends with what it was opened with, and with the right to be here. Undefined without a cookie that is ours. */
export async function browserSession(ctx: Context, deps: ApiDeps): Promise<Caller | undefined> {
  const secret = ctx.cookies.get(COOKIE);
  if (secret === undefined) return undefined;
  const kept = await deps.backend.store.get(keyOf(secret)).catch((cause: unknown) => {
    throw queueUnavailable(deps.log, cause);
  });
  if (kept === null) return undefined;
  const { id, credential, scopes } = JSON.parse(kept) as Kept;
  await deps.credentials.assertHolds(credential);
  const account = await deps.directory.account(id);
  if (!account) return undefined;
  return { ...account, credential, scopes, isAdmin: account.isAdmin && (scopes?.includes("admin") ?? true) };
}

/** A page of another origin may make a browser write, cookie or not; it can't make it say that it is ours. */
export function assertOwnPage(ctx: Context, byCookie: boolean): void {
  const origin = ctx.get("origin");
  const site = ctx.get("sec-fetch-site");
  const isOwn = URL.parse(origin)?.host === ctx.host;
  const isForeign = (origin !== "" && !isOwn) || (site !== "" && site !== "same-origin");
  if (isForeign || (byCookie && !isOwn)) {
    throw new AppError("not_allowed", "Changes are made from the page itself, not from another one");
  }
}
