import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { promisify } from "node:util";
import { nodeFlags } from "../src/api/node-flags.ts";
import { services } from "./services.ts";

/** A process of the product, as `npm run api` and `npm run worker` start it. */
export interface Started {
  readonly pid: number;
  readonly url: string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  signal(name: NodeJS.Signals): void;
  /** Tells something to what was loaded into it. */
  send(message: object): void;
  /** Ends it, whatever state it is in. */
  end(): Promise<void>;
}

export type Settings = Readonly<Record<string, string | undefined>>;

/** In demo mode, on this database and with a queue that nobody else has. */
export const demoSettings = (databaseUrl: string, more: Settings = {}): Settings => ({
  DATABASE_URL: databaseUrl,
  REDIS_URL: services().redisUrl,
  QUEUE_NAME: `test-${randomBytes(6).toString("hex")}`,
  AUTH_MODE: "demo",
  HOST: "127.0.0.1",
  PORT: "0",
  LOG_LEVEL: "fatal",
  ...more,
});

/** What a process gets of ours besides its settings: its programs, and what Node has compiled before. */
export const surroundings = (): Settings => ({
  PATH: process.env["PATH"],
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
});

export const startApi = (settings: Settings): Promise<Started> => start("src/api/main.ts", settings, nodeFlags);
export const startWorkerProcess = (settings: Settings): Promise<Started> => start("src/worker/main.ts", settings);

/** Where no system runs: one may, in the folder of whoever runs the tests, and a command would find it. */
const NO_SYSTEM = { DATA_DIR: "/dev/null/none" };

/** A script that does one thing and ends, as `npm run admin` and `npm run jobs` start them. */
export function runToEnd(script: string, args: readonly string[], settings: Settings, input = "") {
  const env = { ...surroundings(), ...NO_SYSTEM, ...settings };
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, [script, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
    child.stdin!.end(input);
  });
}

async function start(script: string, settings: Settings, flags: readonly string[] = []): Promise<Started> {
  const child = spawn(process.execPath, [...flags, script], {
    env: { ...surroundings(), LOG_LEVEL: "warn", ...settings },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let said = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (said += chunk));
  const exited = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
  const url = await Promise.race([
    ready(child),
    exited.then((how) => Promise.reject(new Error(`${script} ended with ${how} before it was ready:\n${said}`))),
  ]);
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) signal("SIGKILL");
    await exited;
  };
  const send = (message: object): void => void child.send(message);
  return { pid: child.pid!, url, exited, signal, send, end };
}

async function ready(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, "message")) as [{ type: string; url?: string }];
  if (message.type !== "ready") throw new Error(`unexpected message: ${JSON.stringify(message)}`);
  return message.url ?? "";
}

/** A process and all that it has started stand still until they are let go on. */
export async function freezeFamily(pid: number): Promise<() => void> {
  const pids = [pid, ...(await childrenOf(pid))];
  signalAll(pids, "SIGSTOP");
  return () => signalAll(pids, "SIGCONT");
}

async function childrenOf(parent: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid="]);
  const pairs = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.filter(([, ppid]) => ppid === parent).map(([pid]) => pid!);
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // A connection that ended meanwhile.
    }
  }
}
