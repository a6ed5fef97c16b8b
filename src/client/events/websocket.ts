import type { Entry, Ephemeral } from "../entries.ts";
import { page } from "../page.ts";
import { type Problem, problemOf, unreachable } from "../problem.ts";
import type { ProblemDocument } from "../views.ts";
import type { Heard, Line, LineOptions } from "./line.ts";
import { Queue } from "./queue.ts";

/** Of a reader that is slower than this the socket is closed; it goes on from its offset. */
const MOST_WAITING = 5_000;

type Frame =
  | { event: "event"; data: Entry }
  | { event: "subscribed"; data: { offset: string } }
  | { event: "typing"; data: { room_id: number; user_id: number } }
  | { event: "presence"; data: { user_id: number; online: boolean } }
  | { event: "error"; data: ProblemDocument }
  | { event: "pong" };

export const webSocketLine: Line = async function* (from, options) {
  const url = await urlOf(options);
  const heard = new Queue<Heard>();
  const hangUp = connect(url, from, heard, options);
  try {
    for (;;) {
      const { done, value } = await heard.take();
      if (done) return;
      yield value;
    }
  } finally {
    hangUp();
  }
};

/** A page can't send headers with a socket: a ticket stands for whoever asks. */
async function urlOf({ door, signal }: LineOptions): Promise<string> {
  const base = new URL(`${door.wire.url}/v1/ws`, page.location?.href);
  base.protocol = base.protocol.replace("http", "ws");
  if (door.identity && "userId" in door.identity) base.searchParams.set("user_id", String(door.identity.userId));
  else {
    const { body } = await door.ask<{ ticket: string }>("POST", "/v1/auth/ticket", { signal });
    base.searchParams.set("ticket", body.ticket);
  }
  return base.href;
}

function connect(url: string, from: string, heard: Queue<Heard>, options: LineOptions): () => void {
  const { WebSocket, signal, patience } = options;
  const socket = new WebSocket!(url);
  const life = new SignsOfLife(socket, patience.silenceMs, (problem) => heard.end(problem));
  const onOpen = (): void => socket.send(JSON.stringify({ event: "subscribe", data: { offset: from } }));
  const onMessage = ({ data }: MessageEvent): void => {
    life.sign();
    try {
      receive(JSON.parse(String(data)) as Frame, heard);
    } catch (cause) {
      heard.end(unreachable("What came can't be read", { cause }));
    }
  };
  const onClose = ({ code, reason }: CloseEvent): void => heard.end(closedProblem(code, reason));
  const onError = (): void => heard.end(unreachable("The socket failed"));
  const onAbort = (): void => heard.drop();
  life.expect(patience.connectMs);
  socket.addEventListener("open", onOpen);
  socket.addEventListener("message", onMessage);
  socket.addEventListener("close", onClose);
  socket.addEventListener("error", onError);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return () => {
    life.end();
    signal.removeEventListener("abort", onAbort);
    socket.removeEventListener("open", onOpen);
    socket.removeEventListener("message", onMessage);
    socket.removeEventListener("close", onClose);
    socket.removeEventListener("error", onError);
    socket.close();
  };
}

function receive(frame: Frame, heard: Queue<Heard>): void {
  if (frame.event === "event") heard.push({ entries: [frame.data], offset: frame.data.offset });
  else if (frame.event === "subscribed") heard.push({ offset: frame.data.offset });
  else if (frame.event === "typing") heard.push({ ephemeral: { type: "typing", ...frame.data } });
  else if (frame.event === "presence")
    heard.push({ ephemeral: { type: "presence", ...frame.data } satisfies Ephemeral });
  else if (frame.event === "error") heard.end(problemOf(frame.data));
  if (heard.length > MOST_WAITING) heard.end(unreachable("More came than was read"));
}

/** Of an expired token too: whoever asks for the next ticket renews it, or is told that the session is over. */
const closedProblem = (code: number, reason: string): Problem =>
  unreachable(`The socket was closed: ${code} ${reason}`.trim());

/** A connection may be dead without anybody saying so: after a silence it is asked, and without an answer given up. */
class SignsOfLife {
  readonly #socket: WebSocket;
  readonly #silenceMs: number;
  readonly #giveUp: (problem: Problem) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: WebSocket, silenceMs: number, giveUp: (problem: Problem) => void) {
    this.#socket = socket;
    this.#silenceMs = silenceMs;
    this.#giveUp = giveUp;
  }

  sign(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#askAfter(), this.#silenceMs / 2);
  }

  /** The next sign must come within so long. */
  expect(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp(unreachable(`The socket was silent for ${ms / 1_000} s`)), ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #askAfter(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send('{"event":"ping"}');
    this.expect(this.#silenceMs / 2);
  }
}
