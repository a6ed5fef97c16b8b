import { Connection } from "./client.ts";
import { makeGroup } from "./people.ts";
import type { Chat } from "./system.ts";
import { TEXT } from "./text.ts";

/** One who sends and one who waits for it, in a room of their own. */
export interface Pair {
  readonly roomId: number;
  readonly sender: number;
  readonly reader: number;
}

export async function makePairs({ database }: Pick<Chat, "database">, count: number): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let i = 0; i < count; i++) {
    const { roomId, userIds } = await makeGroup(database, 2);
    pairs.push({ roomId, sender: userIds[0]!, reader: userIds[1]! });
  }
  return pairs;
}

/** Sends and fails unless it was accepted; answers the message's id. */
export async function send(connection: Connection, { roomId, sender }: Pair): Promise<string> {
  const { status, body } = await connection.post(`/v1/rooms/${roomId}/messages`, sender, `{"text":"${TEXT}"}`);
  if (status !== 202) throw new Error(`a send was answered ${status}: ${body}`);
  return body.slice(body.indexOf(':"') + 2, body.indexOf('",'));
}

/** Follows the feed by long poll, as any client would, and tells each message's id as it comes. */
export class Reader {
  readonly #pair: Pair;
  readonly #connection: Connection;
  readonly #heard: (id: string, at: number) => void;
  #stopped = false;

  private constructor(pair: Pair, connection: Connection, heard: (id: string, at: number) => void) {
    this.#pair = pair;
    this.#connection = connection;
    this.#heard = heard;
  }

  static async start(url: string, pair: Pair, heard: (id: string, at: number) => void): Promise<Reader> {
    const reader = new Reader(pair, await Connection.open(url), heard);
    const { head } = await reader.#connection.get("/v1/events?offset=now", pair.reader);
    void reader.#follow(nextOffset(head)).catch((error: unknown) => {
      if (!reader.#stopped) throw error;
    });
    return reader;
  }

  stop(): void {
    this.#stopped = true;
    this.#connection.close();
  }

  async #follow(from: string): Promise<void> {
    for (let offset = from; !this.#stopped; ) {
      const path = `/v1/events?offset=${offset}&live=long-poll&timeout=55`;
      const { status, head, body } = await this.#connection.get(path, this.#pair.reader);
      const at = performance.now();
      if (status !== 200 && status !== 204) throw new Error(`a poll was answered ${status}: ${body}`);
      offset = nextOffset(head);
      if (status === 204) continue;
      for (const entry of JSON.parse(body) as { type: string; data: { id: string } }[]) {
        if (entry.type === "message.created") this.#heard(entry.data.id, at);
      }
    }
  }
}

const nextOffset = (head: string): string => /\r\nstream-next-offset: (\S+)/i.exec(head)![1]!;
