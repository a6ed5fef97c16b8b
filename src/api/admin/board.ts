import { createReadStream, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import type {
  AppControllerRoute,
  AppViewRoute,
  BullBoardQueues,
  IServerAdapter,
  UIConfig,
} from "@bull-board/api/dist/types.js";
import Router from "@koa/router";
import type { Queue } from "bullmq";
import type { Context } from "koa";
import { withoutStrangers } from "../docs/docs.ts";
import { withoutText } from "./without-text.ts";

/**
 * What may be changed from here. The rest that the board knows (empty, clean, remove, edit, add, pause) would break the
 * promise of a 202 or put words into people's mouths, and is not there.
 */
const CHANGES = new Set([
  "/api/queues/:queueName/retry/:queueStatus",
  "/api/queues/:queueName/promote",
  "/api/queues/:queueName/:jobId/retry",
  "/api/queues/:queueName/:jobId/promote",
]);

/** Answers whether there was anything at this path, for this method. */
export type Board = (ctx: Context) => Promise<boolean>;

/** Bull Board on a router of ours: its own adapter for Koa would bring an application, a parser and 86 packages. */
export function createBoard(queues: readonly Queue[], basePath: string): Board {
  const adapters = queues.map((queue) => new BullMQAdapter(queue, { allowRetries: true }));
  for (const adapter of adapters) adapter.setFormatter("data", withoutText);
  const server = new KoaBoard(basePath);
  const uiConfig = {
    boardTitle: "Parley",
    hideDocsLink: true,
    pollingInterval: { showSetting: true },
    miscLinks: [{ text: "Back to the desk", url: "/admin" }],
    // The board can't be told to leave out single buttons, so that it says itself which of them work.
    environment: { label: "Retry and promote work here; all else is refused", color: "#0f766e", textColor: "#ffffff" },
  };
  createBullBoard({ queues: adapters, serverAdapter: server, options: { uiConfig } });
  return server.handler();
}

class KoaBoard implements IServerAdapter {
  readonly #basePath: string;
  readonly #router: Router;
  #queues: BullBoardQueues = new Map();
  #views = "";
  #statics = "";
  #uiConfig: UIConfig = {};

  constructor(basePath: string) {
    this.#basePath = basePath;
    this.#router = new Router({ prefix: basePath });
  }

  handler(): Board {
    const routes = this.#router.routes();
    return async (ctx) => {
      if (this.#answerFile(ctx)) return true;
      let found = true;
      await routes(ctx as never, async () => {
        found = false;
      });
      return found;
    };
  }

  setQueues(queues: BullBoardQueues): this {
    this.#queues = queues;
    return this;
  }

  setViewsPath(path: string): this {
    this.#views = path;
    return this;
  }

  setStaticPath(_route: string, path: string): this {
    this.#statics = path;
    return this;
  }

  setUIConfig(config: UIConfig): this {
    this.#uiConfig = config;
    return this;
  }

  /** What fails is answered like everything else that fails here. */
  setErrorHandler(): this {
    return this;
  }

  setEntryRoute({ route, handler }: AppViewRoute): this {
    for (const path of [route].flat()) {
      this.#router.get(path, async (ctx: Context) => {
        const { name, params } = handler({ basePath: this.#basePath, uiConfig: this.#uiConfig });
        const template = await readFile(join(this.#views, name), "utf8");
        ctx.type = "text/html; charset=utf-8";
        ctx.body = fill(withoutStrangers(template), params);
      });
    }
    return this;
  }

  setApiRoutes(routes: AppControllerRoute[]): this {
    for (const { method, route, handler } of routes) {
      for (const path of [route].flat()) {
        if (method !== "get" && !CHANGES.has(path)) continue;
        for (const one of [method].flat()) {
          this.#router[one](path, async (ctx: Context) => {
            const { status = 200, body } = await handler({
              queues: this.#queues,
              uiConfig: this.#uiConfig,
              params: ctx["params"],
              query: { ...ctx.query },
              body: (ctx.request["body"] ?? {}) as Record<string, unknown>,
              headers: ctx.headers as Record<string, string>,
            });
            ctx.status = status;
            ctx.type = "application/json; charset=utf-8";
            ctx.body = JSON.stringify(body ?? {});
          });
        }
      }
    }
    return this;
  }

  /** Its files are named after what is in them; no other name than such a one leads anywhere. */
  #answerFile(ctx: Context): boolean {
    const name = /^\/static\/((?:[\w-]+\/)*[\w-]+(?:\.[\w-]+)+)$/.exec(ctx.path.slice(this.#basePath.length))?.[1];
    if (ctx.method !== "GET" || name === undefined || !existsSync(join(this.#statics, name))) return false;
    ctx.type = extname(name);
    ctx.set("Cache-Control", "private, max-age=86400");
    ctx.body = createReadStream(join(this.#statics, name));
    return true;
  }
}

/** The two kinds of holes that the page's template has: escaped, and as it is. */
const fill = (template: string, values: Record<string, unknown>): string =>
  template.replace(/<%([=-])\s*(\w+)\s*%>/g, (_, kind: string, name: string) => {
    const text = String(values[name] ?? "");
    return kind === "-" ? text : text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
  });
