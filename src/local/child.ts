import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { settlesWithin } from "./within.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Whatever the supervisor has started: how it ended, and how to end it. */
export interface Running {
  readonly exited: Promise<Exit>;
  stop(graceMs?: number): Promise<unknown>;
}

/** How a program is asked to end: kindly, then (if that is not SIGKILL already) firmly, then with SIGKILL. */
export interface Manners {
  readonly kind: NodeJS.Signals;
  readonly firm: NodeJS.Signals;
}

const usual: Manners = { kind: "SIGTERM", firm: "SIGKILL" };

// Long enough for Postgres to end its own processes, short enough for somebody who pressed Ctrl-C twice.
const HURRY_MS = 1_000;

const living = new Set<Child>();

/** A process of ours: alone in its process group, so that a Ctrl-C in the terminal reaches it only through us. */
export class Child {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #manners: Manners;

  constructor(process: ChildProcess, pid: number, manners: Manners) {
    this.process = process;
    this.pid = pid;
    this.#manners = manners;
    living.add(this);
    // "close" and not "exit": what the process said last has been read by then.
    this.exited = new Promise((done) => {
      process.once("close", (code, signal) => {
        living.delete(this);
        done({ code, signal });
      });
    });
    // A message or a signal that came too late; that the process is gone is told by "close".
    process.on("error", () => {});
  }

  signal(signal: NodeJS.Signals): void {
    if (!living.has(this)) return;
    if (signal !== "SIGKILL") {
      this.process.kill(signal);
      return;
    }
    try {
      // The whole group: what a child has started must not outlive it.
      process.kill(-this.pid, signal);
    } catch {
      // ESRCH: it went by itself a moment ago.
    }
  }

  /** Asks, insists, kills; comes back when the process is gone. */
  async end(graceMs: number): Promise<Exit> {
    const { kind, firm } = this.#manners;
    const steps: [NodeJS.Signals, number][] =
      firm === "SIGKILL"
        ? [[kind, graceMs]]
        : [
            [kind, graceMs * 0.8],
            [firm, graceMs * 0.2],
          ];
    return await this.#escalate(steps);
  }

  hurry(): Promise<Exit> {
    return this.#escalate([[this.#manners.firm, HURRY_MS]]);
  }

  /** For the last moment of our own process, when nothing can be awaited any more. */
  drop(): void {
    this.signal(this.#manners.firm);
  }

  async #escalate(steps: readonly [NodeJS.Signals, number][]): Promise<Exit> {
    for (const [signal, ms] of steps) {
      this.signal(signal);
      if (await settlesWithin(ms, this.exited)) return await this.exited;
    }
    this.signal("SIGKILL");
    return await this.exited;
  }
}

/** Rejects when the program cannot be started at all (not found, not allowed). */
export async function startChild(
  command: string,
  args: readonly string[],
  { manners = usual, ...options }: SpawnOptions & { manners?: Manners } = {},
): Promise<Child> {
  const child = spawn(command, args, { ...options, detached: true });
  if (child.pid !== undefined) return new Child(child, child.pid, manners);
  const [error] = await once(child, "error");
  throw error;
}

/** Ends every process that this one has started, at once. */
export const endEverything = (): Promise<unknown> => Promise.all([...living].map((child) => child.hurry()));

/** The same for the "exit" event: sends the signals and awaits nothing. */
export function dropEverything(): void {
  for (const child of living) child.drop();
}

export const tellExit = ({ code, signal }: Exit): string => signal ?? `exit code ${code}`;
