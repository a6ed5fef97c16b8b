import { Closers } from "./closers.ts";
import { type Env, EnvError, readEnv, readEnvBesideServers } from "./env.ts";
import { createLogger, flushLog, type Logger } from "./logger.ts";

/** Closing may take this long; what then still hangs is left to the next start, which loses nothing. */
const CLOSE_MS = 9_000;

export interface Running {
  readonly url?: string;
}

/**
 * The life of a process: reads the environment, starts, tells a supervisor that it is ready, and closes on SIGTERM,
 * SIGINT or when the supervisor is gone.
 */
export async function runProcess(
  name: string,
  start: (context: { env: Env; log: Logger; closers: Closers }) => Promise<Running>,
): Promise<void> {
  const env = envOrExit(readEnv, "DATABASE_URL: is needed");
  const log = createLogger(env, name);
  const closers = new Closers();
  let stopping = false;

  const stop = async (reason: string, code: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, "stopping");
    setTimeout(() => process.exit(code), CLOSE_MS).unref();
    await closers.closeAll((part, error) => log.error({ part, error }, "could not close"));
    log.info("stopped");
    await flushLog();
    process.exit(code);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal, 0));
  process.on("disconnect", () => void stop("the supervisor is gone", 0));
  // Told by the log and not by Node, which would print all that a library hangs on its errors.
  for (const accident of ["unhandledRejection", "uncaughtException"] as const) {
    process.on(accident, (error: unknown) => {
      log.fatal({ error }, accident);
      void stop(accident, 1);
    });
  }

  try {
    const running = await start({ env, log, closers });
    process.send?.({ type: "ready", ...running });
  } catch (error) {
    log.fatal({ error }, `${name} could not start: ${error instanceof Error ? error.message : String(error)}`);
    await stop("could not start", 1);
  }
}

/** Something that runs once and ends, beside a running system perhaps; a failure is one line and exit code 1. */
export async function runScript(work: (context: { env: Env; databaseUrl: string }) => Promise<void>): Promise<void> {
  const missing = "DATABASE_URL: is needed, unless npm start runs here, which brings its own Postgres";
  const env = envOrExit(readEnvBesideServers, missing);
  try {
    await work({ env, databaseUrl: env.DATABASE_URL! });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

function envOrExit(read: () => Env, missing: string): Env {
  try {
    const env = read();
    if (!env.DATABASE_URL) throw new EnvError([missing]);
    return env;
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
