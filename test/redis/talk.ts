import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type Answer, buildRoom, buildUsers, call, get, type Person, toRoom, toUser } from "../calls.ts";
import type { Started } from "../processes.ts";
import { until } from "./servers.ts";

export interface Accepted {
  readonly id: string;
  readonly text: string;
  /** When the 202 was there, as `performance.now()` has it. */
  readonly at: number;
}

/** One who sends one message after the other, each again until it is accepted, as any client would. */
interface Sender {
  readonly name: string;
  readonly person: Person;
  readonly path: string;
  readonly reader: Reader;
  readonly accepted: Accepted[];
}

/** One who polls and acknowledges, as any client would. */
interface Reader {
  readonly person: Person;
  readonly received: { readonly text: string; readonly at: number }[];
  polls: number;
}

const PACE_MS = 10;
const AGAIN_MS = 100;
const WAIT_S = 2;

/** People who write and read all the time, in groups and in twos, whatever happens to what is under them. */
export class Talk {
  readonly senders: readonly Sender[];
  readonly readers: readonly Reader[];
  /** Answers that no client should see. */
  readonly strange: string[] = [];
  refused = 0;
  slowestMs = 0;
  readonly #apis: readonly Started[];
  #turn = 0;
  #sending = true;
  #reading = true;
  #ends: Promise<void>[] = [];
  #readersEnd: Promise<void>[] = [];

  private constructor(apis: readonly Started[], senders: readonly Sender[], readers: readonly Reader[]) {
    this.#apis = apis;
    this.senders = senders;
    this.readers = readers;
  }

  static async begin(apis: readonly Started[], groups: number): Promise<Talk> {
    const api = apis[0]!;
    const people = await buildUsers(api, 2 * (groups + 1));
    const readers = people.slice(groups + 1).map((person): Reader => ({ person, received: [], polls: 0 }));
    const paths = readers.map(async ({ person }, i) =>
      i === 0 ? toUser(person) : toRoom(await buildRoom(api, [people[i]!, person])),
    );
    const senders = (await Promise.all(paths)).map(
      (path, i): Sender => ({ name: `${i}`, person: people[i]!, path, reader: readers[i]!, accepted: [] }),
    );
    const talk = new Talk(apis, senders, readers);
    talk.#ends = senders.map((sender) => talk.#send(sender));
    talk.#readersEnd = readers.map((reader) => talk.#read(reader));
    return talk;
  }

  /** Every sender gets so many more accepted. */
  async accepts(more: number): Promise<void> {
    const goals = this.senders.map(({ accepted }) => accepted.length + more);
    await until(async () => this.senders.every(({ accepted }, i) => accepted.length >= goals[i]!));
  }

  get accepted(): Accepted[] {
    return this.senders.flatMap(({ accepted }) => accepted);
  }

  /** When the first message was accepted that was so after that moment, and when the first of those was delivered. */
  firstAfter(moment: number): { acceptedAt: number; deliveredAt: number } {
    const accepted = this.accepted.filter(({ at }) => at > moment);
    const texts = new Set(accepted.map(({ text }) => text));
    const received = this.readers.flatMap((reader) => reader.received).filter(({ text }) => texts.has(text));
    return { acceptedAt: earliest(accepted), deliveredAt: earliest(received) };
  }

  /** Nobody sends any more, all that was accepted ends, and everything is read. Answers what nobody knows any more. */
  async stop(): Promise<Accepted[]> {
    this.#sending = false;
    await Promise.all(this.#ends);
    const lost = await this.#lost();
    await this.#stopReading();
    return lost;
  }

  /** All is stored once, in the order of its sender, and delivered once; but for what was lost. */
  async expectStoredInOrder(lost: readonly Accepted[]): Promise<void> {
    const gone = new Set(lost.map(({ text }) => text));
    for (const sender of this.senders) {
      const promised = sender.accepted.map(({ text }) => text).filter((text) => !gone.has(text));
      expect(await this.#history(sender)).to.deep.equal(promised);
      const delivered = sender.reader.received.map(({ text }) => text);
      expect(delivered.toSorted()).to.deep.equal(promised.toSorted());
    }
    expect(this.strange).to.deep.equal([]);
  }

  async #lost(): Promise<Accepted[]> {
    const lost: Accepted[] = [];
    for (const { person, accepted } of this.senders) {
      for (const one of accepted) {
        const end = await this.#end(one.id, person);
        if (end !== "done") lost.push(one);
      }
    }
    return lost;
  }

  async #end(id: string, { id: as }: Person): Promise<string> {
    for (;;) {
      const { status, body } = await get(this.#any(), `/v1/tasks/${id}?wait=5`, as);
      if (status === 404) return "unknown";
      if (body.state === "done" || body.state === "failed") return body.state;
    }
  }

  async #stopReading(): Promise<void> {
    await until(async () => {
      const counts = await Promise.all(
        this.readers.map(({ person }) => get(this.#any(), "/v1/messages/unseen", person.id)),
      );
      return counts.every(({ body }) => body.messages.length === 0);
    });
    this.#reading = false;
    await Promise.all(this.#readersEnd);
  }

  /** The texts of a sender's room, the oldest first. */
  async #history({ path, person }: Sender): Promise<string[]> {
    const texts: string[] = [];
    let before = "";
    do {
      const { body } = await get(this.#any(), `${path}/messages?limit=100${before}`, person.id);
      texts.unshift(...body.messages.map((message: { text: string }) => message.text).reverse());
      before = body.next ? `&before=${body.next}` : "";
    } while (before);
    return texts;
  }

  #any(): Started {
    return this.#apis[this.#turn++ % this.#apis.length]!;
  }

  async #send({ name, person, path, accepted }: Sender): Promise<void> {
    while (this.#sending) {
      const text = `${name}:${accepted.length}`;
      const headers = { "idempotency-key": randomUUID() };
      const { id, at } = await this.#untilAccepted(() =>
        call(this.#any(), "POST", `${path}/messages`, { as: person.id, body: { text }, headers }),
      );
      accepted.push({ id, text, at });
      await sleep(PACE_MS);
    }
  }

  async #untilAccepted(ask: () => Promise<Answer>): Promise<{ id: string; at: number }> {
    for (;;) {
      const askedAt = performance.now();
      const { status, headers, body } = await ask();
      const at = performance.now();
      this.slowestMs = Math.max(this.slowestMs, at - askedAt);
      if (status === 202) return { id: body.message_id, at };
      this.refused++;
      const isKind = status === 503 && body.code === "queue_unavailable" && headers.has("retry-after");
      if (!isKind) this.strange.push(`${status} ${JSON.stringify(body)}`);
      await sleep(AGAIN_MS);
    }
  }

  async #read(reader: Reader): Promise<void> {
    for (let ack = ""; this.#reading; ) {
      const { status, body } = await get(
        this.#any(),
        `/v1/messages/unseen?wait=${WAIT_S}&ack=${ack}`,
        reader.person.id,
      );
      if (status !== 200) {
        this.strange.push(`poll: ${status} ${JSON.stringify(body)}`);
        continue;
      }
      const at = performance.now();
      reader.polls++;
      reader.received.push(...body.messages.map(({ text }: { text: string }) => ({ text, at })));
      ack = body.ack;
    }
  }
}

const earliest = (list: readonly { at: number }[]): number => Math.min(...list.map(({ at }) => at));
