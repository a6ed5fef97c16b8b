import { Deferred } from "../deferred.ts";
import type { Problem } from "../problem.ts";
import { randomId } from "../random-id.ts";
import type { Message } from "../views.ts";
import { type DeliverDeps, deliver, type Target } from "./deliver.ts";
import { lookForSeen } from "./look-for-seen.ts";
import type { Seen } from "./witness.ts";

export type SendState = "sending" | "accepted" | "stored" | "seen" | "failed";

export interface SendOptions {
  /** What is sent twice under one key is stored once: give one that you keep, to send again after a restart. */
  readonly clientKey?: string | undefined;
  /** Aborting it cancels the send. */
  readonly signal?: AbortSignal | undefined;
}

/** A message on its way. Nothing needs to be awaited; what is not looked at goes its way all the same. */
export interface SendHandle {
  readonly target: Target;
  readonly text: string;
  /** Known at once; in the message as `client_key`. */
  readonly clientKey: string;
  /** Given by the API when it accepts. */
  readonly messageId: string | undefined;
  readonly state: SendState;
  /** Why it has failed. */
  readonly problem: Problem | undefined;
  readonly accepted: Promise<{ messageId: string; taskId: string }>;
  /** Rejects with the Problem if it was refused, or could not be stored. */
  readonly stored: Promise<Message>;
  /** Resolves when somebody else has seen it. */
  readonly seen: Promise<Seen>;
  /** Called on every change of `state`. */
  on(listener: (handle: SendHandle) => void): () => void;
  /** Once more, after it has failed. `accepted`, `stored` and `seen` are new promises then. */
  retry(): void;
  /** Takes it back if it is not too late: then it fails with the code `cancelled`, else it is stored. */
  cancel(): void;
}

/** What is promised of one try; nobody has to look. */
class Promised {
  readonly accepted = new Deferred<{ messageId: string; taskId: string }>();
  readonly stored = new Deferred<Message>();
  readonly seen = new Deferred<Seen>();
  readonly cancel = new AbortController();

  constructor() {
    for (const { promise } of [this.accepted, this.stored, this.seen]) promise.catch(() => {});
  }
}

export class Send implements SendHandle {
  readonly target: Target;
  readonly text: string;
  readonly #deps: DeliverDeps;
  readonly #listeners = new Set<(handle: SendHandle) => void>();
  #clientKey: string;
  #promised = new Promised();
  #messageId: string | undefined;
  #state: SendState = "sending";
  #problem: Problem | undefined;
  #message: Message | undefined;
  #isAskedWhoSaw = false;

  constructor(target: Target, text: string, { clientKey, signal }: SendOptions, deps: DeliverDeps) {
    this.target = target;
    this.text = text;
    this.#clientKey = clientKey ?? randomId();
    this.#deps = deps;
    if (signal?.aborted) this.cancel();
    else if (signal) this.#obey(signal);
    void this.#run();
  }

  get clientKey(): string {
    return this.#clientKey;
  }

  get messageId(): string | undefined {
    return this.#messageId;
  }

  get state(): SendState {
    const isSeen = this.#state === "stored" && this.#deps.witness.seenBy(this.#message!);
    return isSeen ? "seen" : this.#state;
  }

  get problem(): Problem | undefined {
    return this.#problem;
  }

  get accepted(): Promise<{ messageId: string; taskId: string }> {
    return this.#promised.accepted.promise;
  }

  get stored(): Promise<Message> {
    return this.#promised.stored.promise;
  }

  get seen(): Promise<Seen> {
    this.#askWhoSaw();
    return this.#promised.seen.promise;
  }

  on(listener: (handle: SendHandle) => void): () => void {
    this.#listeners.add(listener);
    this.#askWhoSaw();
    return () => void this.#listeners.delete(listener);
  }

  retry(): void {
    if (this.#state !== "failed") return;
    // Its key stands for the task that has failed, for good.
    if (this.#messageId !== undefined) this.#clientKey = randomId();
    this.#messageId = undefined;
    this.#problem = undefined;
    this.#promised = new Promised();
    this.#become("sending");
    void this.#run();
  }

  cancel(): void {
    this.#promised.cancel.abort();
  }

  async #run(): Promise<void> {
    const { accepted, stored, seen, cancel } = this.#promised;
    const job = { target: this.target, text: this.text, clientKey: this.#clientKey, cancel: cancel.signal };
    try {
      this.#message = await deliver(job, this.#deps, (id) => this.#accept(id));
      if (this.#state === "sending") this.#accept(this.#message.id);
      stored.resolve(this.#message);
      this.#become("stored");
      if (this.#isAskedWhoSaw) this.#watchSeen(this.#message);
    } catch (error) {
      this.#problem = error as Problem;
      for (const { reject } of [accepted, stored, seen]) reject(error);
      this.#become("failed");
    }
  }

  #accept(id: string): void {
    this.#messageId = id;
    this.#promised.accepted.resolve({ messageId: id, taskId: id });
    this.#become("accepted");
  }

  /** Only if somebody wants to know: without a live feed it costs a question now and then. */
  #askWhoSaw(): void {
    if (this.#isAskedWhoSaw) return;
    this.#isAskedWhoSaw = true;
    if (this.#state === "stored") this.#watchSeen(this.#message!);
  }

  #watchSeen(message: Message): void {
    const { seen } = this.#promised;
    lookForSeen(message, this.#deps).then((mark) => {
      seen.resolve(mark);
      this.#become("seen");
    }, seen.reject);
  }

  #become(state: SendState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(this);
  }

  #obey(signal: AbortSignal): void {
    const cancel = (): void => this.cancel();
    const letGo = (): void => signal.removeEventListener("abort", cancel);
    signal.addEventListener("abort", cancel);
    this.stored.then(letGo, letGo);
  }
}
