import type { AddressInfo } from "node:net";
import Koa from "koa";
import { koaBody } from "koa-body";

/** Koa with the answer ready: GET sends the bytes that a POST has brought. */
let body = Buffer.alloc(0);
const app = new Koa();
app.use(koaBody({ text: true, textLimit: "10mb" }));
app.use((ctx) => {
  if (ctx.method === "POST") body = Buffer.from(ctx.request["body"] as string);
  ctx.type = "application/json; charset=utf-8";
  ctx.body = ctx.method === "POST" ? "{}" : body;
});
const server = app.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ type: "ready", url: `http://127.0.0.1:${port}` });
});
process.on("SIGTERM", () => process.exit(0));
