import { type Logger, pino } from "pino";
import type { Env } from "./env.ts";

export type { Logger } from "pino";

/** JSON lines on stdout; bodies, texts and secrets are never handed to it. */
export function createLogger(env: Pick<Env, "LOG_LEVEL">, name: string): Logger {
  return pino({ name, level: env.LOG_LEVEL, base: { name, pid: process.pid } });
}
