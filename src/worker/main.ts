import { runProcess } from "../shared/process.ts";
import { openWorkerDeps } from "./deps.ts";
import { startWorker } from "./worker.ts";

await runProcess("worker", async ({ env, log, closers }) => {
  const deps = await openWorkerDeps({ env, log, closers });
  await startWorker(deps, closers);
  log.info("the worker takes jobs");
  return {};
});
