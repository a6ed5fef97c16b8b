import type { Queue } from "bullmq";
import type { Deps } from "../../shared/deps.ts";
import type { SendJob } from "../../shared/jobs/catalog.ts";
import { enqueue, enqueueGroup } from "../../shared/jobs/enqueue.ts";
import { type GroupedSend, groupIdOf, MOST_IN_GROUP, memberIdOf } from "../../shared/jobs/groups.ts";

interface Waiting {
  readonly queue: Queue;
  readonly send: GroupedSend;
  accepted(): void;
  refused(error: unknown): void;
}

/** How much of the past the size of a group is taken from. */
const REMEMBERED = 0.9;

/**
 * Puts sends on the queue: those of one turn of the event loop together, a lone one by itself. Nothing waits for
 * others to come.
 */
export class SendGroups {
  /** Sends that the queue has taken. */
  accepted = 0;
  readonly #deps: Deps;
  /** The group that is being filled; a turn that is over closes it. */
  #group: string | undefined;
  #members = 0;
  readonly #open = new Set<string>();
  #waiting: Waiting[] = [];
  #scheduled = false;
  #size = 1;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** How many messages a job has held of late, on average. */
  get size(): number {
    return this.#size;
  }

  /**
   * An id in the group of this turn. Its time is that of the turn's first: whoever was answered before the turn began
   * has an older one, and nobody who sends now has been answered since.
   */
  newId(): string {
    if (this.#group === undefined || this.#members === MOST_IN_GROUP) {
      this.#group = groupIdOf(this.#deps.newId());
      this.#members = 0;
      this.#open.add(this.#group);
      this.#schedule();
    }
    return memberIdOf(this.#group, ++this.#members);
  }

  /** Once this resolves the send is kept by the queue; the same id again changes nothing. */
  add(id: string, data: SendJob, queue: Queue): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { tracing } = this.#deps;
    const send = tracing ? { ...data, id, trace: tracing.carry() } : { ...data, id };
    this.#waiting.push({ queue, send, accepted: resolve, refused: reject });
    this.#schedule();
    return promise;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    const waiting = this.#waiting;
    const open = new Set(this.#open);
    this.#scheduled = false;
    this.#group = undefined;
    this.#open.clear();
    this.#waiting = [];
    // Whoever was held up by a question is late for their group, whose job is made once and no more.
    const jobOf = ({ send: { id } }: Waiting) => (open.has(groupIdOf(id)) ? groupIdOf(id) : id);
    for (const [queue, some] of Map.groupBy(waiting, (one) => one.queue)) {
      // A group whose messages go to several queues is a job of the same id in each.
      for (const [id, members] of Map.groupBy(some, jobOf)) void this.#put(queue, id, members);
    }
  }

  async #put(queue: Queue, groupId: string, members: readonly Waiting[]): Promise<void> {
    this.#size = REMEMBERED * this.#size + (1 - REMEMBERED) * members.length;
    try {
      const sends = members.map(({ send }) => send);
      await this.#enqueueTraced(queue, groupId, sends);
      this.accepted += members.length;
      for (const { accepted } of members) accepted();
    } catch (error) {
      for (const { refused } of members) refused(error);
    }
  }

  /** A job goes on with the trace of its first send; each of the others takes its own along. */
  #enqueueTraced(queue: Queue, groupId: string, sends: readonly GroupedSend[]): Promise<void> {
    const { tracing } = this.#deps;
    if (!tracing) return this.#enqueue(queue, groupId, sends);
    const { trace, ...first } = sends[0]!;
    return tracing.within(trace, () => this.#enqueue(queue, groupId, [first, ...sends.slice(1)]));
  }

  #enqueue(queue: Queue, groupId: string, sends: readonly GroupedSend[]): Promise<void> {
    const { log } = this.#deps;
    if (sends.length > 1) return enqueueGroup(log, queue, groupId, sends);
    const { id, ...data } = sends[0]!;
    return enqueue(log, queue, { id, name: "message.send", data });
  }
}
