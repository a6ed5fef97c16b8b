import type { WebSocket } from "ws";
import { AppError } from "../../shared/errors.ts";
import type { Entry } from "../../shared/log/entry.ts";
import { assertMayInRoom } from "../../shared/policies.ts";
import { toAppErrorOrInternal } from "../http/errors.ts";
import type { BudgetName } from "../http/limits.ts";
import type { Scope } from "../http/route.ts";
import { markSeen } from "../messages/mark-seen.ts";
import { sendMessage } from "../messages/send-message.ts";
import { readFeed } from "../realtime/feed.ts";
import type { Subscription } from "../realtime/hub.ts";
import { type From, offsetOf, parseOffset } from "../realtime/offsets.ts";
import { entryJson } from "../realtime/present.ts";
import {
  type ClientEvent,
  errorText,
  type FrameData,
  FrameError,
  frameText,
  type Incoming,
  type Ref,
  readFrame,
} from "./frames.ts";

/** What the protocol calls its endings. */
export const closeCodes = { tokenExpired: 4401, tryAgainLater: 1013, rate: 1008 } as const;

/** Beyond this a frame is refused; far beyond it the library closes the socket. */
const MOST_FRAME_BYTES = 64 * 1_024;
/** A socket that reads what comes this much slower than it is written is cut; it resumes by offset. */
const MOST_UNSENT_BYTES = 1_024 * 1_024;
/** What there was already waits for whoever is slow: so much of it is on its way at once. */
const CATCH_UP_UNSENT_BYTES = 128 * 1_024;
/** A client that writes faster than it is answered has to wait, in its own buffers. */
const MOST_PENDING = 64;
/** A client that is told so often to slow down, and does not, is sent away. */
const MOST_REFUSALS = 50;

/** What a frame asks of who sends it, as over HTTP: the scope of an API key, and one from a budget. */
const costs = {
  message: { scope: "write", budget: "sends" },
  read: { scope: "write", budget: "sends" },
  typing: { scope: "write", budget: "sends" },
  subscribe: { scope: "read", budget: "reads" },
  ping: undefined,
} as const satisfies Record<ClientEvent, { scope: "read" | "write"; budget: BudgetName } | undefined>;

/** One socket: frames in, entries out. A frame that is wrong costs an answer, not the socket. */
export class Socket {
  readonly #ws: WebSocket;
  readonly #scope: Scope;
  #subscription: Subscription | undefined;
  #refusals = 0;
  #frames: Promise<void> = Promise.resolve();
  #pending = 0;
  #received = 0;

  constructor(ws: WebSocket, scope: Scope) {
    this.#ws = ws;
    this.#scope = scope;
    const leave = scope.deps.ephemeral.listen(
      scope.caller.id,
      ({ type, data }) => {
        if (this.#subscription) this.#send(frameText(type, data));
      },
      scope.client.countsAsPresent,
    );
    ws.on("message", (data, isBinary) => {
      // The library hands on what comes after our goodbye, too.
      if (this.#isOpen) this.#enqueue(data as Buffer, isBinary);
    });
    const { parked } = scope.deps.waits;
    parked.ws++;
    ws.once("close", () => {
      parked.ws--;
      leave();
      this.#unsubscribe();
    });
  }

  get #isOpen(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  /** Of the frame that is being answered. */
  get #requestId(): string {
    return `${this.#scope.requestId}:${this.#received}`;
  }

  /** One frame after the other, so that messages are accepted in the order in which they were written. */
  #enqueue(data: Buffer, isBinary: boolean): void {
    if (++this.#pending === MOST_PENDING) this.#ws.pause();
    this.#frames = this.#frames.then(async () => {
      // Whoever says goodbye right behind a message has said the message; whose session has ended has not.
      if (!this.#scope.gone.aborted) await this.#receive(data, isBinary);
      if (--this.#pending === MOST_PENDING / 2 && this.#ws.isPaused) this.#ws.resume();
    });
  }

  async #receive(data: Buffer, isBinary: boolean): Promise<void> {
    let ref: Ref;
    this.#received++;
    try {
      if (isBinary) throw new AppError("validation_failed", "A frame must be text");
      if (data.length > MOST_FRAME_BYTES) throw new AppError("body_too_large", "A frame may have 64 KiB at most");
      const frame = readFrame(data.toString("utf8"));
      ref = frame.ref;
      await this.#admit(frame.event);
      await this.#answerTraced(frame);
    } catch (cause) {
      if (cause instanceof FrameError) ref = cause.ref;
      const { log } = this.#scope.deps;
      const error = toAppErrorOrInternal(cause instanceof FrameError ? cause.error : cause, log, this.#requestId);
      this.#send(errorText(error, this.#requestId, ref));
      if (error.code === "rate_limited" && ++this.#refusals > MOST_REFUSALS)
        this.#ws.close(closeCodes.rate, "too fast");
    }
  }

  async #admit(event: ClientEvent): Promise<void> {
    const cost = costs[event];
    if (!cost) return;
    const { caller, client, deps } = this.#scope;
    if (caller.scopes && !caller.scopes.includes(cost.scope))
      throw new AppError("insufficient_scope", `The key needs the scope ${cost.scope}`);
    await deps.limits.take(cost.budget, caller.id, client.address);
    this.#refusals = 0;
  }

  #answerTraced(frame: Incoming): Promise<void> {
    const { tracing } = this.#scope.deps;
    // Who subscribes reads on, which is no request.
    if (!tracing || frame.event === "subscribe") return this.#answer(frame);
    return tracing.serve(`frame ${frame.event}`, {}, (span) => {
      span.setAttributes({ "enduser.id": String(this.#scope.caller.id), "parley.request_id": this.#requestId });
      return this.#answer(frame);
    });
  }

  async #answer({ event, data, ref }: Incoming): Promise<void> {
    if (event === "ping") return this.#send(frameText("pong", null, ref));
    if (event === "subscribe") return this.#subscribe(data as FrameData<"subscribe">, ref);
    if (event === "message") return this.#message(data as FrameData<"message">, ref);
    if (event === "read") return this.#read(data as FrameData<"read">, ref);
    return this.#typing(data as FrameData<"typing">);
  }

  async #message({ room_id, to, text, client_key }: FrameData<"message">, ref: Ref): Promise<void> {
    const { caller, deps } = this.#scope;
    const target = room_id === undefined ? { recipientId: to! } : { roomId: room_id };
    const command = { senderId: caller.id, target, text, clientKey: client_key, requestId: this.#requestId };
    const { id } = await sendMessage(command, deps);
    this.#send(frameText("accepted", { task_id: id, message_id: id }, ref));
  }

  async #read(data: FrameData<"read">, ref: Ref): Promise<void> {
    const command = "message_id" in data ? { message_ids: [data.message_id] } : data;
    const taskId = await markSeen(command, { ...this.#scope, requestId: this.#requestId });
    this.#send(frameText("accepted", { task_id: taskId }, ref));
  }

  async #typing({ room_id }: FrameData<"typing">): Promise<void> {
    const { caller, deps } = this.#scope;
    assertMayInRoom("post", room_id, await deps.directory.standing(room_id, caller.id));
    await deps.ephemeral.typing(caller.id, room_id);
  }

  /** From the offset on: first what there is, then what comes. A second subscription takes the place of the first. */
  async #subscribe({ offset }: FrameData<"subscribe">, ref: Ref): Promise<void> {
    const { epoch } = this.#scope.deps.tail;
    const from = parseOffset(offset, epoch);
    this.#unsubscribe();
    const next = await this.#catchUp(from);
    if (next !== undefined) this.#send(frameText("subscribed", { offset: offsetOf(epoch, next) }, ref));
  }

  /** @returns where it went live; undefined if the end came first. */
  async #catchUp(from: From): Promise<number | undefined> {
    const { caller, deps } = this.#scope;
    for (let after = from; ; ) {
      const page = await readFeed({ userId: caller.id, roomId: undefined, from: after }, deps);
      const atOnce = await this.#sendPage(page.entries);
      if (!this.#isOpen) return undefined;
      after = page.next;
      // While the client took its time the log went on: a page that is old by now is no place to go live from.
      if (!page.upToDate || !atOnce) continue;
      const subscription = deps.hub.subscribe(
        { userId: caller.id, pos: page.next, roomIds: page.roomIds },
        {
          wants: () => true,
          deliver: (entries, heardAt) => {
            this.#sendEntries(entries);
            deps.waits.woke(heardAt);
          },
          end: (why) => this.#end(why),
        },
      );
      if (subscription === "behind") continue;
      if (subscription === "closing") return undefined;
      this.#subscription = subscription;
      this.#sendEntries(subscription.missed);
      return subscription.missed.at(-1)?.pos ?? page.next;
    }
  }

  /** As fast as the client takes it. @returns whether it never had to wait. */
  async #sendPage(entries: readonly Entry[]): Promise<boolean> {
    let atOnce = true;
    for (const entry of entries) {
      if (!this.#isOpen) return false;
      const sent = new Promise<unknown>((resolve) => this.#ws.send(this.#entryText(entry), resolve));
      if (this.#ws.bufferedAmount <= CATCH_UP_UNSENT_BYTES) continue;
      atOnce = false;
      await sent;
    }
    return atOnce;
  }

  /** The log was replaced: whoever reads it starts over, and is told so. */
  #end(why: "closing" | "behind"): void {
    if (why === "closing") return;
    this.#unsubscribe();
    const gone = new AppError("offset_gone", "The log is another one than before: subscribe again");
    this.#send(errorText(gone, this.#scope.requestId));
  }

  #sendEntries(entries: readonly Entry[]): void {
    for (const entry of entries) this.#send(this.#entryText(entry));
  }

  #entryText(entry: Entry): string {
    const { caller, deps } = this.#scope;
    deps.deliveries.ofEntries([entry], caller.id);
    return `{"event":"event","data":${entryJson(entry, deps.tail.epoch, caller.id)}}`;
  }

  #unsubscribe(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }

  #send(text: string): void {
    if (!this.#isOpen) return;
    this.#ws.send(text);
    if (this.#ws.bufferedAmount > MOST_UNSENT_BYTES) this.#ws.terminate();
  }
}
