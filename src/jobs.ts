import { parseArgs } from "node:util";
import type { Queue } from "bullmq";
import { Closers } from "./shared/closers.ts";
import { openDeps } from "./shared/deps.ts";
import { allFailed, describeJob, isCancelled, putBack } from "./shared/jobs/failures.ts";
import { type FoundJob, findJobs } from "./shared/jobs/find.ts";
import { createLogger } from "./shared/logger.ts";
import { runScript } from "./shared/process.ts";

const usage = `Usage: npm run jobs -- <command> [--json]

  failed        the failed jobs, the newest first, and why; they are kept for 7 days
  show <id>     one job, in whatever state it is, with its data
  retry <id>    puts a failed job back into the queue, with all its attempts
  retry-all     the same for every failed job that was not cancelled by its sender

  --json        for programs
  --help        this text

Beside npm start it finds the servers by itself; elsewhere it needs DATABASE_URL and REDIS_URL (if Redis carries the
queue), and QUEUE_NAME if it is not parley. Exits with 1 if there was nothing to be done.`;

/** Somebody looks at the screen: a queue that is away is told, not waited for. */
const REACH_MS = 10_000;
const commands = ["failed", "show", "retry", "retry-all"] as const;
type Command = (typeof commands)[number];

type Queues = readonly Queue[];

interface Asked {
  readonly command: Command;
  readonly id: string;
  readonly json: boolean;
}

function readArguments(): Asked {
  try {
    const options = { json: { type: "boolean", default: false }, help: { type: "boolean", default: false } } as const;
    const { values, positionals } = parseArgs({ allowPositionals: true, options });
    if (values.help) leave(usage, 0);
    const [command, id, ...more] = positionals;
    const needsId = command === "show" || command === "retry";
    const known = commands.find((one) => one === command);
    if (known === undefined || more.length > 0 || needsId !== (id !== undefined)) leave(usage, 1);
    return { command: known, id: id?.toLowerCase() ?? "", json: values.json };
  } catch (error) {
    return leave(`${(error as Error).message}\n\n${usage}`, 1);
  }
}

function leave(text: string, code: 0 | 1): never {
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  process.exit(code);
}

async function failed(queues: Queues, { json }: Asked): Promise<void> {
  const jobs = (await allFailed(queues)).map((job) => describeJob(job, "failed"));
  if (json) return print(jobs);
  if (jobs.length === 0) return console.log("No job has failed");
  for (const { id, kind, attempts, failed_at, reason } of jobs) {
    console.log(`${id}  ${kind}  ${failed_at}  attempts ${attempts}  ${reason}`);
  }
}

async function show(queues: Queues, { id, json }: Asked): Promise<void> {
  const { job, state } = await find(queues, id);
  const told = { ...describeJob(job, state), data: job.data as unknown, returned: job.returnvalue ?? null };
  if (json) return print(told);
  for (const [name, value] of Object.entries(told)) {
    if (value !== null) console.log(`${name.padEnd(11)} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  }
}

async function retry(queues: Queues, { id, json }: Asked): Promise<void> {
  const { job, state } = await find(queues, id);
  if (state !== "failed") throw new Error(`Job ${id} is ${state}: only a failed one can be retried`);
  if (isCancelled(job)) throw new Error(`Job ${id} was cancelled by its sender, and stays so`);
  if (!(await putBack(job))) throw new Error(`Job ${id} was put back by somebody else just now`);
  if (json) print({ retried: [id] });
  else console.log(`${id} is in the queue again`);
}

async function retryAll(queues: Queues, { json }: Asked): Promise<void> {
  const jobs = await allFailed(queues);
  const others = jobs.filter((job) => !isCancelled(job));
  if (others.length === 0) throw new Error("No job has failed that could be retried");
  const retried: string[] = [];
  // One that somebody else has just put back is no reason to stop.
  for (const job of others) if (await putBack(job)) retried.push(job.id!);
  if (json) return print({ retried });
  const cancelled = jobs.length - others.length;
  const left = cancelled > 0 ? `; ${cancelled} that their senders cancelled stay as they are` : "";
  console.log(`${retried.length} in the queue again${left}`);
}

async function find(queues: Queues, id: string): Promise<FoundJob> {
  const [found] = await findJobs(queues, id);
  if (!found) throw new Error(`No job ${id} is in the queue: it never was, or it ended too long ago`);
  return found;
}

const print = (value: unknown): void => console.log(JSON.stringify(value, null, 2));

const asked = readArguments();
await runScript(async ({ env }) => {
  const closers = new Closers();
  const log = createLogger({ LOG_LEVEL: "silent" }, "jobs");
  const late = new Promise<never>((_, reject) => {
    setTimeout(
      () => reject(new Error("Postgres or the queue can't be reached at DATABASE_URL and REDIS_URL")),
      REACH_MS,
    );
  });
  const { backend } = await Promise.race([openDeps({ env, log, closers }), late]);
  const work = { failed, show, retry, "retry-all": retryAll }[asked.command];
  await Promise.race([work(backend.queues, asked), late]);
  await closers.closeAll(() => {});
});
process.exit();
