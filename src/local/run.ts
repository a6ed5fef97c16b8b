import { once } from "node:events";
import { type Env, EnvError, readEnv } from "../shared/env.ts";
import { givenIn } from "../shared/given.ts";
import { dropEverything, endEverything } from "./child.ts";
import { lockData } from "./data-lock.ts";
import { freePort, whyNotFree } from "./free-port.ts";
import { greet } from "./greeting.ts";
import { screen, tellError } from "./screen.ts";
import { listenForStop } from "./signals.ts";
import { type Scripts, startSystem } from "./system.ts";
import { StartError } from "./until-ready.ts";

/** `npm start`: everything up, until somebody says stop; ends the process. */
export async function run(source: NodeJS.ProcessEnv, scripts: Scripts): Promise<never> {
  leaveNothingBehind();
  const stop = listenForStop(source);
  try {
    await serve(source, scripts, stop);
    process.exit(0);
  } catch (error) {
    if (stop.aborted) {
      screen.line();
      screen.note("stopped before it was up");
      process.exit(0);
    }
    screen.failed(error instanceof EnvError ? error.message : tellError(error));
    process.exit(1);
  }
}

async function serve(source: NodeJS.ProcessEnv, scripts: Scripts, stop: AbortSignal): Promise<void> {
  const env = await settle(readEnv(withDefaults(source)));
  const lock = await lockData(env.DATA_DIR, addressOf(env));
  try {
    await assertFree(env);
    const system = await startSystem({ env, source, scripts, screen, signal: stop });
    greet(screen, { env, url: system.url, seeded: system.seeded });
    if (!stop.aborted) await once(stop, "abort");
    screen.line();
    const since = performance.now();
    await system.stop();
    screen.done("stopped", performance.now() - since);
  } finally {
    await lock.release();
  }
}

/** Demo mode is the default here and nowhere else. Logs are for the parts run alone; here somebody reads the screen. */
const withDefaults = (source: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  AUTH_MODE: "demo",
  LOG_LEVEL: "warn",
  ...givenIn(source),
});

/** PORT=0 means any; chosen here and not by the API, so that it is the same after a restart. */
const settle = async (env: Env): Promise<Env> => (env.PORT === 0 ? { ...env, PORT: await freePort(env.HOST) } : env);

const addressOf = ({ HOST, PORT }: Env): string => `http://${HOST.includes(":") ? `[${HOST}]` : HOST}:${PORT}`;

async function assertFree({ HOST, PORT }: Env): Promise<void> {
  const why = await whyNotFree(PORT, HOST);
  if (why === undefined) return;
  if (why !== "EADDRINUSE") throw new StartError(`Cannot listen on port ${PORT} of ${HOST} (${why}).`);
  let other = PORT;
  while (other < 65_535 && (await whyNotFree(++other, HOST)) !== undefined);
  throw new StartError(
    `Port ${PORT} is taken (${HOST}). Stop what listens there or start with PORT=${other} npm start.`,
  );
}

function leaveNothingBehind(): void {
  process.on("exit", dropEverything);
  process.on("uncaughtException", (error) => {
    screen.failed(tellError(error));
    void endEverything().finally(() => process.exit(1));
  });
  // The terminal has gone, or `npm start | head` has read enough: no reason to fall over before all is stopped.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
