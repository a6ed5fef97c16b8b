import { migrateQueue } from "./shared/backend/postgres-backend.ts";
import { migrate } from "./shared/db/migrate.ts";
import { createLogger } from "./shared/logger.ts";
import { runScript } from "./shared/process.ts";

/** `npm run migrate`: brings the database up to date; running it twice, or twice at once, is running it once. */
await runScript(async ({ env, databaseUrl }) => {
  const applied = await migrate(databaseUrl, createLogger(env, "migrate"));
  if (!env.REDIS_URL) await migrateQueue(databaseUrl);
  console.log(
    applied.length > 0 ? `Migrated: ${applied.join(", ")}` : "Nothing to migrate: the database is up to date",
  );
});
