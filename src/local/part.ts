import type { Readable } from "node:stream";
import { type Child, type Running, startChild } from "./child.ts";
import { untilDone, untilReady } from "./until-ready.ts";

/** A part of the system that runs in a process of its own and says over IPC when it serves. */
export interface Part extends Running {
  readonly pid: number;
  /** Where it serves, if it does so over HTTP. */
  readonly url: string | undefined;
}

export interface Script {
  readonly name: string;
  readonly path: string;
  /** For Node, before the path. */
  readonly flags?: readonly string[] | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}

// As long as a deploy gives a process to finish its work (docs: exit 0 within 10 s), less what we need for the rest.
export const PART_STOP_MS = 8_000;
const READY_MS = 60_000;
// Migrations of large tables take their time; nobody waits longer than this without looking.
const DONE_MS = 600_000;
const LAST_LINES = 15;

/** Starts a server script and waits for its `{ type: "ready", url? }`. It ends by itself when we are gone: IPC breaks. */
export async function startPart({ name, path, flags = [], env, signal }: Script): Promise<Part> {
  const command = [...flags, path];
  const child = await startChild(process.execPath, command, { env, stdio: ["ignore", "inherit", "pipe", "ipc"] });
  const words = holdBack(child);
  const start = { name, withinMs: READY_MS, signal, lastWords: words.last };
  const url = await untilReady(child, start, () => saysReady(child));
  words.release();
  return { url, pid: child.pid, exited: child.exited, stop: (graceMs = PART_STOP_MS) => child.end(graceMs) };
}

/** Runs a script that does one thing and ends. */
export async function runScript({ name, path, env, signal }: Script): Promise<void> {
  const child = await startChild(process.execPath, [path], { env, stdio: ["ignore", "inherit", "pipe"] });
  const words = holdBack(child);
  await untilDone(child, { name, withinMs: DONE_MS, signal, lastWords: words.last });
  words.release();
}

interface Ready {
  readonly type: "ready";
  readonly url?: string;
}

const isReady = (message: unknown): message is Ready =>
  typeof message === "object" && message !== null && "type" in message && message.type === "ready";

const saysReady = (child: Child): Promise<string | undefined> =>
  new Promise((done) => {
    child.process.on("message", (message) => {
      if (isReady(message)) done(message.url);
    });
  });

/** What it says on stderr while it starts is kept: a failed start ends with it, a good one lets it through. */
function holdBack({ process: child }: Child): { last: () => string; release: () => void } {
  const stderr = child.stderr as Readable;
  let held = "";
  let pass = (chunk: string): void => {
    held += chunk;
  };
  stderr.setEncoding("utf8").on("data", (chunk: string) => pass(chunk));
  return {
    last: () => held.trimEnd().split("\n").slice(-LAST_LINES).join("\n"),
    release: () => {
      pass = (chunk) => process.stderr.write(chunk);
      if (held) pass(held);
    },
  };
}
