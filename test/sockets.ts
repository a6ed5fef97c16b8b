import { once } from "node:events";
import { WebSocket } from "ws";

export interface Frame {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes
  readonly data: any;
  readonly ref?: string | number;
}

export type Socket = Awaited<ReturnType<typeof openSocket>>;

/** A client that keeps what it gets, in order, and waits for what it does not have yet. */
export async function openSocket({ url }: { readonly url: string }, headers: Record<string, string>, query = "") {
  const ws = new WebSocket(`${url.replace("http", "ws")}/v1/ws${query}`, { headers });
  const got: Frame[] = [];
  const arrived: (() => void)[] = [];
  ws.on("message", (data) => {
    got.push(JSON.parse(String(data)));
    for (const look of arrived.splice(0)) look();
  });
  const closed = new Promise<number>((resolve) => ws.once("close", resolve));
  await once(ws, "open");
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => arrived.push(resolve));
    }
  };
  const send = (event: string, data?: unknown, ref?: string | number): void =>
    ws.send(JSON.stringify({ event, data, ref }));
  let refs = 0;
  return {
    ws,
    got,
    closed,
    until,
    send,
    /** Says it, and answers what comes back under its ref. */
    ask: (event: string, data?: unknown): Promise<Frame> => {
      const ref = `r${++refs}`;
      send(event, data, ref);
      return until(() => got.find((frame) => frame.ref === ref));
    },
    entries: () => got.filter(({ event }) => event === "event").map(({ data }) => data),
    texts: () => textsOf(got),
    saysMore: (count: number) => until(() => (textsOf(got).length >= count ? true : undefined)),
  };
}

export const textsOf = (frames: readonly Frame[]): string[] =>
  frames.filter(({ data }) => data?.type === "message.created").map(({ data }) => data.data.text);
