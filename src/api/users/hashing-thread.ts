import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { hashSync, verifySync } from "@node-rs/argon2";

export type Task =
  | { readonly kind: "hash"; readonly password: string }
  | { readonly kind: "verify"; readonly password: string; readonly hash: string };

export interface Question {
  readonly id: number;
  readonly task: Task;
}

export type Answer =
  | { readonly id: number; readonly value: string | boolean }
  | { readonly id: number; readonly error: string };

/** After everybody else: whoever signs in can wait for some milliseconds more, a parked read should not. */
const NICE = 15;

function giveWay(): void {
  try {
    // Linux counts threads like processes; elsewhere this has no such file, and the thread stays as it is.
    setPriority(Number(readlinkSync("/proc/thread-self").split("/").at(-1)), NICE);
  } catch {
    // Only slower for others.
  }
}

/** Argon2id with the library's defaults: 19 MiB, 2 passes. */
const run = (task: Task): string | boolean =>
  task.kind === "hash" ? hashSync(task.password) : verifySync(task.hash, task.password);

giveWay();
parentPort?.on("message", ({ id, task }: Question) => {
  let answer: Answer;
  try {
    answer = { id, value: run(task) };
  } catch (error) {
    answer = { id, error: String(error) };
  }
  parentPort?.postMessage(answer);
});
