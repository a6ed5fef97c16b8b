import { type EntityManager, inPipeline } from "../shared/db/database.ts";
import type { JobData, JobName } from "../shared/jobs/catalog.ts";
import type { PlacedMessage } from "../shared/log/append.ts";
import { LogWrites } from "../shared/log/writes.ts";
import { moveReadPointers } from "./handlers/mark-seen.ts";
import { placeMessages } from "./handlers/send-message.ts";
import { failureEntry, type Outcome, type TakenJob, type Task } from "./task.ts";

type Handler<Data> = (
  tx: EntityManager,
  tasks: readonly Task<Data>[],
  writes: LogWrites,
) => Promise<Map<string, Outcome>>;

/** One handler per job kind, in the order of their locks (rooms, then members). Forgetting one does not compile. */
const handlers: { readonly [N in JobName]: Handler<JobData<N>> } = {
  "message.send": placeMessages,
  "messages.seen": moveReadPointers,
};

/** How each task ended, and the messages that it came to. */
export interface StoredBatch {
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly messages: readonly PlacedMessage[];
}

/** Everything of a batch in one transaction, announced by its own commit: all there or not at all. */
export function storeBatch(em: EntityManager, batch: readonly TakenJob[]): Promise<StoredBatch> {
  return inPipeline(em, async (tx) => {
    const writes = new LogWrites();
    const outcomes = new Map<string, Outcome>();
    const handle = async <N extends JobName>(name: N): Promise<void> => {
      const tasks = batch.filter((job) => job.name === name) as unknown as Task<JobData<N>>[];
      for (const [id, outcome] of await handlers[name](tx, tasks, writes)) outcomes.set(id, outcome);
    };
    for (const name of Object.keys(handlers) as JobName[]) await handle(name);
    for (const job of batch) tellRefusal(job, outcomes.get(job.id), writes);
    const written = writes.flush(tx);
    // Else the commit goes out with them: it tells whether they were written.
    if (writes.needsPositions) await written;
    else written.catch(() => {});
    return { outcomes, messages: writes.messages };
  });
}

/** A refusal reaches the sender's own feed, for those who do not ask after the task. */
function tellRefusal(job: TakenJob, outcome: Outcome | undefined, writes: LogWrites): void {
  // Whoever cancelled it has written that down already.
  if (!outcome?.problem || outcome.problem.code === "cancelled" || job.grouped) return;
  writes.add(failureEntry(job, outcome.problem));
}
