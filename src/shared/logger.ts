import { destination, type Logger, pino } from "pino";
import type { Env } from "./env.ts";
import { tellError, withoutSecrets } from "./tell-error.ts";

export type { Logger } from "pino";

/** What a reader of the log that does not read may make us hold; beyond it lines are dropped. */
const MOST_HELD_BYTES = 16 * 1_024 * 1_024;

/** Lines are written many at a time, or after so long: each write wakes another thread. */
const TOGETHER = { minLength: 32_768, maxWrite: 65_536, periodicFlush: 100 };

/** Nobody's request waits for the log; what is still held when the process ends is written then. */
const stdout = destination({ dest: 1, sync: false, maxLength: MOST_HELD_BYTES, ...TOGETHER });

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
