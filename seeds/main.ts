import { openApiDeps } from "../src/api/deps.ts";
import { Closers } from "../src/shared/closers.ts";
import { createLogger } from "../src/shared/logger.ts";
import { runScript } from "../src/shared/process.ts";
import { seed } from "./seed.ts";

/** `npm run seed`: demo data; a worker has to be running, because it is sent like real messages. */
await runScript(async ({ env }) => {
  if (env.NODE_ENV === "production") throw new Error("Demo data is refused when NODE_ENV=production");
  const closers = new Closers();
  try {
    const log = createLogger({ LOG_LEVEL: env.LOG_LEVEL === "info" ? "warn" : env.LOG_LEVEL }, "seed");
    const made = await seed(await openApiDeps({ env, log, closers }));
    const nothing = made.users + made.rooms + made.messages === 0;
    console.log(
      nothing
        ? "Nothing to seed: it is all there"
        : `Seeded: ${made.users} users, ${made.rooms} groups, ${made.messages} messages`,
    );
  } finally {
    await closers.closeAll((name, error) => console.error(`could not close ${name}:`, error));
  }
});
