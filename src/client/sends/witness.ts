import type { Entry } from "../entries.ts";
import { Deadline } from "../patience.ts";
import { type Problem, problemOf } from "../problem.ts";
import type { Message } from "../views.ts";

/** Who has seen a room so far. */
export interface Seen {
  readonly userId: number;
  readonly at: string;
}

interface Mark extends Seen {
  readonly seq: number;
}

/** What the sends that are under way want to know of what the feed tells. */
export class Witness {
  readonly #stored = new Map<string, (message: Message) => void>();
  readonly #failed = new Map<string, (problem: Problem) => void>();
  readonly #marks = new Map<number, Map<number, Mark>>();
  readonly #watchers = new Set<() => void>();
  #liveRuns = 0;

  get isLive(): boolean {
    return this.#liveRuns > 0;
  }

  live(change: 1 | -1): void {
    this.#liveRuns += change;
    this.#changed();
  }

  tell(entry: Entry): void {
    if (entry.type === "message.created") this.#stored.get(entry.data.client_key ?? "")?.(entry.data);
    else if (entry.type === "task.failed") this.#failed.get(entry.data.task_id)?.(problemOf(entry.data.error));
    else if (entry.type === "messages.seen") this.#mark(entry.room_id, { ...seenIn(entry), seq: entry.data.up_to_seq });
  }

  onStored(clientKey: string, listener: (message: Message) => void): () => void {
    this.#stored.set(clientKey, listener);
    return () => void this.#stored.delete(clientKey);
  }

  onFailed(taskId: string, listener: (problem: Problem) => void): () => void {
    this.#failed.set(taskId, listener);
    return () => void this.#failed.delete(taskId);
  }

  /** Somebody else than its sender, as far as the feed has told. */
  seenBy({ room_id, seq, sender }: Message): Seen | undefined {
    for (const mark of this.#marks.get(room_id)?.values() ?? []) {
      if (mark.userId !== sender.id && mark.seq >= seq) return mark;
    }
    return undefined;
  }

  /** Resolves when no feed is live any more, or after so long. */
  untilDark(mostMs: number, signal: AbortSignal): Promise<void> {
    return this.#until(() => !this.isLive, mostMs, signal);
  }

  /** Resolves when somebody has seen it as far as a feed tells, when feeds come or go, or after so long. */
  untilSeen(message: Message, mostMs: number, signal: AbortSignal): Promise<void> {
    const wasLive = this.isLive;
    return this.#until(() => this.seenBy(message) !== undefined || this.isLive !== wasLive, mostMs, signal);
  }

  #until(holds: () => boolean, mostMs: number, signal: AbortSignal): Promise<void> {
    const enough = new Deadline(mostMs, signal);
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds() && !enough.signal.aborted) return;
        this.#watchers.delete(look);
        enough.signal.removeEventListener("abort", look);
        enough.release();
        resolve();
      };
      this.#watchers.add(look);
      enough.signal.addEventListener("abort", look);
      look();
    });
  }

  #mark(roomId: number, mark: Mark): void {
    const marks = this.#marks.get(roomId) ?? new Map<number, Mark>();
    this.#marks.set(roomId, marks.set(mark.userId, mark));
    this.#changed();
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

const seenIn = ({ data, at }: Extract<Entry, { type: "messages.seen" }>): Seen => ({ userId: data.user_id, at });
