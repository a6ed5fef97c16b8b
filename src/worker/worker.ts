import type { Closers } from "../shared/closers.ts";
import type { Deps } from "../shared/deps.ts";
import { Batcher } from "./batcher.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { QueueWorkers } from "./queue-workers.ts";
import { startSweeping } from "./sweep/sweep.ts";
import { WorkFigures } from "./work-figures.ts";

/** Takes jobs from every queue until it is closed. Answers how to ask whether it does. */
export async function startWorker(deps: Deps, closers: Closers): Promise<() => boolean> {
  const figures = new WorkFigures(deps.now);
  figures.tell(deps.metrics);
  const workers = new QueueWorkers({ ...deps, figures, batcher: new Batcher({ ...deps, figures }) });
  closers.add("worker", () => workers.close());
  deps.backend.onFound((queue) => void workers.take(queue));
  await Promise.all(deps.backend.queues.map((queue) => workers.take(queue)));
  const isWorking = (): boolean => workers.areRunning();
  await startHeartbeat(deps, isWorking, closers);
  startSweeping(deps, closers);
  return isWorking;
}
