import { openDeps } from "../shared/deps.ts";
import { runProcess } from "../shared/process.ts";
import { startWorker } from "./worker.ts";

await runProcess("worker", async ({ env, log, closers }) => {
  const deps = await openDeps({ env, log, closers });
  await startWorker(deps, closers);
  log.info("the worker takes jobs");
  return {};
});
