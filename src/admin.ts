import { announceUser } from "./api/users/users-cache.ts";
import { inTransaction, openDatabase, rows } from "./shared/db/database.ts";
import { createLogger } from "./shared/logger.ts";
import { runScript } from "./shared/process.ts";

const usage = "Usage: npm run admin -- grant <username> | revoke <username>";
const help = `${usage}

  grant <username>    makes somebody an admin
  revoke <username>   takes that away, from the last admin as well
  --help              this text

Beside npm start it finds the database by itself; elsewhere it needs DATABASE_URL.`;

if (process.argv.includes("--help")) {
  console.log(help);
  process.exit(0);
}

/** `npm run admin`: makes the first admin, whom nobody else could make. */
await runScript(async ({ env, databaseUrl }) => {
  const [command, username] = process.argv.slice(2);
  if ((command !== "grant" && command !== "revoke") || username === undefined) throw new Error(usage);
  const log = createLogger({ LOG_LEVEL: env.LOG_LEVEL === "info" ? "warn" : env.LOG_LEVEL }, "admin");
  const orm = await openDatabase({ url: databaseUrl, poolSize: 2, log });
  try {
    await inTransaction(orm.em, async (tx) => {
      const [user] = await rows<{ id: number }>(
        tx,
        "update users set is_admin = $2 where lower(username) = lower($1) and deactivated_at is null returning id",
        [username, command === "grant"],
      );
      if (!user) throw new Error(`Nobody is called ${username}`);
      await announceUser(tx, user.id);
    });
  } finally {
    await orm.close();
  }
  console.log(`${username} is ${command === "grant" ? "now an admin" : "no admin any more"}`);
});
