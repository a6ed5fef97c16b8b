import { Worker } from "node:worker_threads";
import type { Answer, Task } from "./hashing-thread.ts";

interface Asked {
  resolve(value: string | boolean): void;
  reject(error: Error): void;
}

/** One thread that hashes passwords, one after the other, for as long as there are any; it keeps no process alive. */
class HashingThread {
  #worker: Worker | undefined;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;

  ask(task: Task): Promise<string | boolean> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      const worker = this.#start();
      worker.ref();
      worker.postMessage({ id, task });
    });
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL("./hashing-thread.ts", import.meta.url));
    worker.on("message", (answer: Answer) => this.#settle(answer));
    worker.on("error", (error) => this.#failAll(error));
    worker.on("exit", () => this.#failAll(new Error("the thread that hashes passwords has ended")));
    this.#worker = worker;
    return worker;
  }

  #settle(answer: Answer): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if (this.#asked.size === 0) this.#worker?.unref();
    if ("error" in answer) asked?.reject(new Error(answer.error));
    else asked?.resolve(answer.value);
  }

  /** The next that is asked gets a new thread. */
  #failAll(error: Error): void {
    this.#worker = undefined;
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }
}

const thread = new HashingThread();

export const hash = async (password: string): Promise<string> => String(await thread.ask({ kind: "hash", password }));
export const verify = async (password: string, kept: string): Promise<boolean> =>
  (await thread.ask({ kind: "verify", password, hash: kept })) === true;
