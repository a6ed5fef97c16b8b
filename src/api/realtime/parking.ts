import type { Entry } from "../../shared/log/entry.ts";
import type { Gone } from "../http/gone.ts";
import type { Ephemerals } from "./ephemeral.ts";
import type { Hub, Snapshot } from "./hub.ts";
import type { WaitKind, Waits } from "./waits.ts";

/** More reads than this at once are a client that has lost count; the oldest makes room. */
const MOST_PER_USER = 32;

export type Wake =
  | { readonly why: "entries"; readonly entries: readonly Entry[] }
  /** `superseded`: a newer read of the same device, or too many. `behind`: take a new snapshot. */
  | { readonly why: "timeout" | "gone" | "closing" | "behind" | "superseded" };

export interface Park {
  readonly kind: WaitKind;
  /** Which of the entries of the user's rooms are worth waking up for. */
  readonly wants: (entry: Entry) => boolean;
  readonly waitMs: number;
  readonly gone: Gone;
  /** Whether who waits counts as online. */
  readonly present: boolean;
  /** Of two reads that name the same device the newer wins. */
  readonly device?: string | undefined;
}

interface ParkingDeps {
  readonly hub: Hub;
  readonly ephemeral: Pick<Ephemerals, "enter">;
  readonly waits: Waits;
}

type Finish = (wake: Wake) => void;

interface ParkedReads {
  /** In the order of their parking. */
  readonly all: Set<Finish>;
  readonly byDevice: Map<string, Finish>;
}

/** Reads that wait once: until there is something, or the time is up, or a newer one takes their place. */
export class Parking {
  readonly #hub: Hub;
  readonly #ephemeral: Pick<Ephemerals, "enter">;
  readonly #waits: Waits;
  readonly #users = new Map<number, ParkedReads>();

  constructor({ hub, ephemeral, waits }: ParkingDeps) {
    this.#hub = hub;
    this.#ephemeral = ephemeral;
    this.#waits = waits;
  }

  park(snapshot: Snapshot, { kind, wants, waitMs, gone, device, present }: Park): Promise<Wake> {
    if (gone.aborted) return Promise.resolve({ why: "gone" });
    const { promise, resolve } = Promise.withResolvers<Wake>();
    const subscription = this.#hub.subscribe(snapshot, {
      wants,
      deliver(entries, heardAt) {
        gone.wokenBy = heardAt;
        finish({ why: "entries", entries });
      },
      end: (why) => finish({ why }),
    });
    if (typeof subscription === "string") return Promise.resolve({ why: subscription });
    const { parked } = this.#waits;
    const since = performance.now();
    // They may have been woken before, by something that was gone when they looked.
    gone.wokenBy = undefined;
    parked[kind]++;
    const finish: Finish = (wake) => {
      parked[kind]--;
      gone.parkedMs += performance.now() - since;
      clearTimeout(timer);
      forgetGone();
      subscription.unsubscribe();
      leave?.();
      this.#forget(snapshot.userId, finish, device);
      resolve(wake);
    };
    const leave = present ? this.#ephemeral.enter(snapshot.userId) : undefined;
    const timer = setTimeout(() => finish({ why: "timeout" }), waitMs);
    const forgetGone = gone.onAbort(() => finish({ why: "gone" }));
    if (subscription.missed.length > 0) finish({ why: "entries", entries: subscription.missed });
    else this.#remember(snapshot.userId, finish, device);
    return promise;
  }

  #remember(userId: number, finish: Finish, device: string | undefined): void {
    const reads = this.#users.get(userId) ?? { all: new Set(), byDevice: new Map() };
    this.#users.set(userId, reads);
    if (device !== undefined) {
      reads.byDevice.get(device)?.({ why: "superseded" });
      reads.byDevice.set(device, finish);
    }
    reads.all.add(finish);
    // The one before may have been the last, and taken the list with it.
    this.#users.set(userId, reads);
    if (reads.all.size > MOST_PER_USER) reads.all.values().next().value?.({ why: "superseded" });
  }

  #forget(userId: number, finish: Finish, device: string | undefined): void {
    const reads = this.#users.get(userId);
    if (!reads?.all.delete(finish)) return;
    if (device !== undefined && reads.byDevice.get(device) === finish) reads.byDevice.delete(device);
    if (reads.all.size === 0) this.#users.delete(userId);
  }
}
