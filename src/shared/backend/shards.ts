import type { Queue } from "bullmq";
import type { Closers } from "../closers.ts";
import type { Logger } from "../logger.ts";

/** As many as QUEUE_SHARDS may say. */
export const MOST_SHARDS = 64;

const LOOK_EVERY_MS = 5_000;

/** The first has the name that an only one has. A `~` is in no QUEUE_NAME, so that none is another system's queue. */
export const shardNames = (queueName: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => (i === 0 ? queueName : `${queueName}~${i}`));

interface ShardsOptions {
  readonly env: { readonly QUEUE_NAME: string; readonly QUEUE_SHARDS: number };
  readonly log: Logger;
  readonly closers: Closers;
  open(name: string): Queue;
  /** Which of these queues have jobs: such as wait or run, and such as have ended and are kept. */
  holdingJobs(names: readonly string[]): Promise<readonly string[]>;
}

/**
 * The queues of one system. New jobs go to the first QUEUE_SHARDS of them. Others are looked for all the time, so that
 * no job is left in one that was in use before the number was changed, or still is in another process; nor what was said
 * in one that is done, for longer than it is kept.
 */
export class Shards {
  readonly all: Queue[] = [];
  readonly #options: ShardsOptions;
  readonly #inUse: number;
  readonly #listeners: ((queue: Queue) => void)[] = [];

  constructor(options: ShardsOptions) {
    this.#options = options;
    this.#inUse = options.env.QUEUE_SHARDS;
    for (const name of shardNames(options.env.QUEUE_NAME, this.#inUse)) this.#open(name);
  }

  /** What has the same number stays in order. */
  queueFor(line: number): Queue {
    return this.all[line % this.#inUse]!;
  }

  onFound(listener: (queue: Queue) => void): void {
    this.#listeners.push(listener);
  }

  async start(): Promise<void> {
    await this.#look();
    const timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
    this.#options.closers.add("shards", async () => clearInterval(timer));
  }

  async #look(): Promise<void> {
    const { env, log, holdingJobs } = this.#options;
    const open = new Set(this.all.map(({ name }) => name));
    const others = shardNames(env.QUEUE_NAME, MOST_SHARDS).filter((name) => !open.has(name));
    // A queue that is away is told where it matters; the next look is soon.
    const found = await holdingJobs(others).catch(() => []);
    for (const name of found) {
      // A look that was slow, and the next one.
      if (this.all.some((queue) => queue.name === name)) continue;
      log.info({ queue: name }, "jobs of another QUEUE_SHARDS: they are taken as well");
      const queue = this.#open(name);
      for (const listener of this.#listeners) listener(queue);
    }
  }

  #open(name: string): Queue {
    const { open, log, closers } = this.#options;
    const queue = open(name);
    queue.on("error", (error) => log.warn({ reason: error.message }, "queue"));
    closers.add("queue", () => queue.close());
    this.all.push(queue);
    return queue;
  }
}
