import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { forgetEverything, waitingJobs, withQueue } from "./backup/queue.ts";
import { restoreBackup } from "./backup/restore-backup.ts";
import { runBeside } from "./backup/run.ts";
import { withServers } from "./backup/with-servers.ts";
import { migrateQueue } from "./shared/backend/postgres-backend.ts";
import { migrate } from "./shared/db/migrate.ts";
import { createLogger } from "./shared/logger.ts";

const usage = `Usage: npm run restore -- <file> [--force]

  Puts what npm run backup has written into an empty database, and brings it up to date. All of it or nothing: a file
  that is damaged, or a restore that is interrupted, leaves the database as it was. Stop all APIs and workers first.

  --force   into a database that is not empty: DELETES every user, room and message that is in it now, and every job
            that waits in the queue
  --help    this text

The queue is emptied: what is in it belongs to the time after the backup. Cursors of before get 410, and take a
snapshot; sign-ins hold, if AUTH_SECRET is the same.

Finds the servers of npm start by itself, which must not be running; elsewhere it needs DATABASE_URL, and REDIS_URL and
QUEUE_NAME if Redis carries the queue.`;

await runBeside(usage, async () => {
  const options = { force: { type: "boolean", default: false }, help: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const [file, ...more] = positionals;
  if (values.help || !file || more.length > 0) return values.help ? "help" : "wrong";
  if (!existsSync(file)) throw new Error(`There is no file ${file}`);
  await withServers({ mayBeNew: true }, async (env, databaseUrl) => {
    if (!env.REDIS_URL) await migrateQueue(databaseUrl);
    const waiting = await withQueue(env, waitingJobs);
    if (waiting > 0 && !values.force) {
      throw new Error(
        `${waiting} jobs wait in the queue ${env.QUEUE_NAME}, for another database than the one of the backup: take ` +
          "another QUEUE_NAME, or say --force, which deletes them",
      );
    }
    const { madeAt, rows, messages } = await restoreBackup(databaseUrl, file, values);
    const applied = await migrate(databaseUrl, createLogger(env, "restore")).catch(notDone);
    await withQueue(env, forgetEverything).catch(notDone);
    console.log(`Restored as it was on ${madeAt}: ${messages} messages, ${rows} rows in all`);
    if (applied.length > 0) console.log(`Migrated: ${applied.join(", ")}`);
  });
  return "done";
});

/** Jobs and keys of before would be taken for those of the database that is there now. */
function notDone(error: Error): never {
  throw new Error(
    `${error.message}\nThe rows are restored, the rest is not: start nothing, and restore again with --force`,
  );
}
