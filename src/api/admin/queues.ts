import type { Context, Middleware } from "koa";
import { AppError } from "../../shared/errors.ts";
import { queueUnavailable } from "../../shared/jobs/enqueue.ts";
import { takeTicket } from "../auth/tickets.ts";
import type { ApiDeps } from "../deps.ts";
import { identify } from "../http/identity.ts";
import type { Caller } from "../http/route.ts";
import { recordAction } from "./actions.ts";
import type { Board } from "./board.ts";
import { assertOwnPage, browserSession, openBrowserSession } from "./browser-session.ts";

const PATH = "/admin/queues";
const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/** The queue as an admin sees it, at `/admin/queues`: what waits, what has failed and why, and another try. */
export function adminQueues(deps: ApiDeps): Middleware {
  let board: Promise<Board> | undefined;
  let shown = 0;
  return async (ctx, next) => {
    if (!/^\/admin\/queues(\/|$)/.test(ctx.path)) return next();
    ctx.state["route"] = "adminQueues";
    ctx.set("Cache-Control", "no-store");
    const budget = isRead(ctx) ? "reads" : "sends";
    const { caller, by } = await deps.limits.identified(budget, ctx.ip, () => admit(ctx, deps));
    if (!caller.isAdmin) throw new AppError("not_allowed", "Only an admin may do this");
    ctx.state["userId"] = caller.id;
    ctx.state["credential"] = caller.credential;
    ctx.set(await deps.limits.take(budget, caller.id, ctx.ip));
    if (by === "address" && isRead(ctx)) return enter(ctx, caller, deps);
    if (!isRead(ctx)) assertOwnPage(ctx, by === "cookie");
    ctx.set("Content-Security-Policy", POLICY);
    // Loaded for whoever asks for it: most processes never need it.
    const { queues } = deps.backend;
    if (shown !== queues.length) board = import("./board.ts").then(({ createBoard }) => createBoard(queues, PATH));
    shown = queues.length;
    if (await answer(await board!, ctx, deps)) {
      if (!isRead(ctx) && ctx.status < 400) await recordChange(ctx, caller, deps);
      return;
    }
    throw new AppError(
      "route_not_found",
      `Nothing is at ${ctx.method} ${ctx.path}: the board looks, retries and promotes`,
    );
  };
}

const recordChange = ({ path, state }: Context, caller: Caller, { em }: ApiDeps): Promise<void> =>
  recordAction(
    em,
    { action: "queue.change", target: path.slice(PATH.length) },
    { caller, requestId: state["requestId"] },
  );

const isRead = ({ method }: Context): boolean => method === "GET" || method === "HEAD";

interface Admitted {
  readonly caller: Caller;
  /** How they showed who they are: `address` is what stands in the address itself, which goes no further. */
  readonly by: "address" | "header" | "cookie";
}

async function admit(ctx: Context, deps: ApiDeps): Promise<Admitted> {
  const { ticket } = ctx.query;
  if (typeof ticket === "string" && isRead(ctx)) return { caller: await takeTicket(ticket, deps), by: "address" };
  const saysWho = deps.env.AUTH_MODE === "demo" && ctx.query["user_id"] !== undefined;
  try {
    const caller = await identify({ access: "admin", method: "get" }, ctx, deps);
    return { caller: caller!, by: saysWho ? "address" : "header" };
  } catch (error) {
    const isNobody = error instanceof AppError && error.code === "not_signed_in";
    const caller = isNobody ? await browserSession(ctx, deps) : undefined;
    if (!caller) throw error;
    return { caller, by: "cookie" };
  }
}

/** The address stays in the browser's history: what it showed is exchanged for a cookie, and taken out. */
async function enter(ctx: Context, caller: Caller, deps: ApiDeps): Promise<void> {
  await openBrowserSession(ctx, caller, PATH, deps);
  ctx.status = 303;
  ctx.redirect(`${PATH}/`);
}

/** The board asks the queue, which may be away. */
async function answer(board: Board, ctx: Context, { log }: ApiDeps): Promise<boolean> {
  try {
    return await board(ctx);
  } catch (cause) {
    throw cause instanceof AppError ? cause : queueUnavailable(log, cause);
  }
}
