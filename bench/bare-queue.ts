import http from "node:http";
import type { AddressInfo } from "node:net";
import { Queue, Worker } from "bullmq";
import { jobOptions, workerOptions } from "../src/shared/jobs/catalog.ts";
import { TEXT } from "./text.ts";

/**
 * BullMQ and nothing else: one producer, one worker that does nothing, jobs of the size of ours. The ceiling of
 * whatever puts each message into a job of its own. Answers how many a second it added and worked off.
 */
const name = "bare";
const connection = { url: process.env["REDIS_URL"]! };
const queue = new Queue(name, { connection, defaultJobOptions: jobOptions });
let ended = 0;
let complete: (() => void) | undefined;
let wanted = Number.POSITIVE_INFINITY;
const { concurrency } = workerOptions;
const worker = new Worker(
  name,
  async () => {
    if (++ended === wanted) complete?.();
  },
  { connection, concurrency },
);
await worker.waitUntilReady();

async function round(count: number, inFlight: number): Promise<number> {
  const all = new Promise<void>((resolve) => {
    complete = resolve;
  });
  ended = 0;
  wanted = count;
  const startedAt = performance.now();
  let begun = 0;
  const produce = async (): Promise<void> => {
    while (begun < count) {
      const jobId = `${process.pid}-${startedAt}-${begun++}`;
      const data = { senderId: 1, roomId: 1, text: TEXT, clientKey: null, acceptedAt: new Date().toISOString() };
      await queue.add("message.send", data, { jobId });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, produce));
  await all;
  return count / ((performance.now() - startedAt) / 1_000);
}

const server = http.createServer(async (request, response) => {
  const { searchParams } = new URL(request.url!, "http://localhost");
  response.end(String(await round(Number(searchParams.get("count")), Number(searchParams.get("in_flight")))));
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ type: "ready", url: `http://127.0.0.1:${port}` });
});
process.on("SIGTERM", () => process.exit(0));
