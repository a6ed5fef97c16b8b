import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { makeBackup } from "./backup/make-backup.ts";
import { untilDrained, waitingJobs, withQueue } from "./backup/queue.ts";
import { runBeside } from "./backup/run.ts";
import { withServers } from "./backup/with-servers.ts";
import type { Env } from "./shared/env.ts";

const usage = `Usage: npm run backup -- <file> [--drained]

  Writes everything that is in the database into a file: users, rooms, messages, receipts, the log, sessions and keys.
  The system may go on meanwhile; the file is as the database was at one moment. Passwords' hashes are in it, so that
  nobody but you may read it. A file that is there already is not overwritten.

  --drained   waits until no job waits in the queue, and then begins. Stop the APIs first, and leave the workers: else
              there is always somebody who sends
  --help      this text

What waits in the queue is not in the file: how much that is, it says at the end. Also not in it: AUTH_SECRET, and
whatever else is set in the environment.

Finds the servers of npm start by itself, running or not; elsewhere it needs DATABASE_URL, and REDIS_URL and QUEUE_NAME
if Redis carries the queue.`;

await runBeside(usage, async () => {
  const options = { drained: { type: "boolean", default: false }, help: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const [file, ...more] = positionals;
  if (values.help || !file || more.length > 0) return values.help ? "help" : "wrong";
  if (existsSync(file)) throw new Error(`${file} is there already, and is left as it is`);
  if (!existsSync(dirname(file))) throw new Error(`There is no folder ${dirname(file)}`);
  await withServers({ mayBeNew: false }, async (env, databaseUrl) => {
    if (values.drained) await withQueue(env, untilDrained);
    const { rows, messages, bytes } = await makeBackup(databaseUrl, file);
    console.log(`${file}: ${messages} messages, ${rows} rows in all, ${(bytes / 1_048_576).toFixed(1)} MiB`);
    console.log(await notInIt(env));
  });
  return "done";
});

/** The backup is made, whether or not the queue can be asked. */
async function notInIt(env: Env): Promise<string> {
  try {
    const waiting = await withQueue(env, waitingJobs);
    return waiting === 0
      ? "No job waits in the queue: nothing that was accepted is missing"
      : `${waiting} jobs wait in the queue: what they carry was accepted, and is not in the file`;
  } catch (error) {
    return `What waits in the queue is not in the file, and could not be counted: ${(error as Error).message}`;
  }
}
