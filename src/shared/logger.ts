import { destination, type Logger, pino } from "pino";
import type { Env } from "./env.ts";
import { tellError, withoutSecrets } from "./tell-error.ts";
import { within } from "./within.ts";

export type { Logger } from "pino";

/** What a reader of the log that does not read may make us hold; beyond it lines are dropped. */
const MOST_HELD_BYTES = 16 * 1_024 * 1_024;

/** Lines are written many at a time, or after so long: each write wakes another thread. */
const TOGETHER = { minLength: 32_768, maxWrite: 65_536, periodicFlush: 100 };

/** Nobody's request waits for the log; what is still held when the process ends is written then. */
const stdout = destination({ dest: 1, sync: false, maxLength: MOST_HELD_BYTES, ...TOGETHER });

const FLUSH_WITHIN_MS = 1_000;

/** Its reader has gone, or its disk is full: at the end of the process the library would go on trying for ever. */
const giveUp = (): void => {
  stdout.flushSync = () => {};
};
stdout.on("error", giveUp);

/** For a process that is about to end: it hears whether anybody takes what is held. */
export async function flushLog(): Promise<void> {
  const flushed = new Promise<void>((resolve, reject) => stdout.flush((error) => (error ? reject(error) : resolve())));
  await within(FLUSH_WITHIN_MS, flushed).catch(giveUp);
}

/** However an error is handed on, it is told in one way. */
const serializers = {
  err: (error: unknown) => tellError(error),
  error: (error: unknown) => tellError(error),
  reason: (reason: unknown) => (typeof reason === "string" ? withoutSecrets(reason) : reason),
};

/** JSON lines on stdout; bodies, texts and secrets are never handed to it. */
export function createLogger(env: Pick<Env, "LOG_LEVEL">, name: string): Logger {
  return pino({ name, level: env.LOG_LEVEL, base: { name, pid: process.pid }, serializers }, stdout);
}
