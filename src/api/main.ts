import { runProcess } from "../shared/process.ts";
import { openApiDeps } from "./deps.ts";
import { listen } from "./listen.ts";

await runProcess("api", async ({ env, log, closers }) => {
  const deps = await openApiDeps({ env, log, closers });
  const url = await listen(deps, closers);
  log.info({ url, auth: env.AUTH_MODE }, "the API listens");
  return { url };
});
