import { runProcess } from "../shared/process.ts";
import { openWorkerDeps } from "./deps.ts";
import { listen } from "./listen.ts";
import { startWorker } from "./worker.ts";

await runProcess("worker", async ({ env, log, closers }) => {
  const deps = await openWorkerDeps({ env, log, closers });
  const isWorking = await startWorker(deps, closers);
  log.info("the worker takes jobs");
  // Last, so that it is closed first: who asks how a worker is that stops gets no answer.
  const url = await listen({ ...deps, isWorking }, closers);
  return url === undefined ? {} : { url };
});
