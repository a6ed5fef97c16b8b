import { fileURLToPath } from "node:url";
import { run } from "./local/run.ts";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

await run(process.env, {
  migrate: file("./migrate.ts"),
  worker: file("./worker/main.ts"),
  api: file("./api/main.ts"),
  seeds: file("../seeds/main.ts"),
  page: file("./web/build/main.ts"),
});
