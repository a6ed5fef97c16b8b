import type { AddressInfo } from "node:net";
import { Queue } from "bullmq";
import Koa from "koa";
import { koaBody } from "koa-body";
import { jobOptions } from "../src/shared/jobs/catalog.ts";

/** The door without a house: Koa, koa-body, and the job put on the queue. */
const queue = new Queue("bare-accept", {
  connection: { url: process.env["REDIS_URL"]! },
  defaultJobOptions: jobOptions,
});
await queue.waitUntilReady();
const app = new Koa();
app.use(koaBody());
app.use(async (ctx) => {
  const { text } = ctx.request["body"] as { text: string };
  const data = { senderId: 1, roomId: 1, text, clientKey: null, acceptedAt: new Date().toISOString() };
  const { id } = await queue.add("message.send", data, { jobId: crypto.randomUUID() });
  ctx.status = 202;
  ctx.body = { task_id: id, message_id: id, status: "queued" };
});
const server = app.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ type: "ready", url: `http://127.0.0.1:${port}` });
});
process.on("SIGTERM", () => process.exit(0));
