import { execFile, type StdioOptions } from "node:child_process";
import { chown, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { type Child, type Manners, startChild } from "./child.ts";
import { StartError } from "./until-ready.ts";

const run = promisify(execFile);

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Under whom Postgres runs, and how to become that user. */
export interface RunAs {
  /** Words before the command: none, or those of `setpriv`. */
  readonly prefix: readonly string[];
  /** For `spawn`; empty when we stay who we are or `setpriv` does it. */
  readonly ids: { readonly uid?: number; readonly gid?: number };
  /** Whose the files must be, if not the caller's. */
  readonly owner?: Owner;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

// Nothing of the caller's surroundings: PGDATA and PGPORT would speak to Postgres, a language would translate the
// messages that are looked at here.
const postgresEnv = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", TZ: "UTC" };

/** Its output goes to `log`. The working directory is one that every user may enter. */
export function startAs(runAs: RunAs, words: readonly string[], log: number, manners?: Manners): Promise<Child> {
  const [command = "", ...args] = [...runAs.prefix, ...words];
  const options = { ...runAs.ids, env: postgresEnv, cwd: "/", stdio: ["ignore", log, log] as StdioOptions };
  return startChild(command, args, manners ? { ...options, manners } : options);
}

/** Postgres refuses to run as root, so root hands it to another user; anybody else runs it as they are. */
export async function chooseRunAs(root: string, binaries: Binaries): Promise<RunAs> {
  if (process.getuid?.() !== 0) {
    const why = await whyNotRunnable({ prefix: [], ids: {} }, root, binaries);
    if (why !== undefined)
      throw new StartError(`The Postgres that npm brought does not run here (${why}): set DATABASE_URL`);
    return { prefix: [], ids: {} };
  }
  const owner = (await ownerOf(root)) ?? (await idsOf("postgres")) ?? (await idsOf("nobody"));
  if (!owner) throw new StartError("Postgres does not run as root, and there is no other user here: set DATABASE_URL");
  await chown(root, owner.uid, owner.gid);
  return await firstThatRuns(ways(owner), root, binaries);
}

/** Plainly if that user can reach everything; else (a clone below /root) with the one right that lets it pass. */
function ways(owner: Owner): RunAs[] {
  const through = (capability: string): RunAs => ({
    ids: {},
    owner,
    prefix: [
      "setpriv",
      `--reuid=${owner.uid}`,
      `--regid=${owner.gid}`,
      "--clear-groups",
      `--inh-caps=+${capability}`,
      `--ambient-caps=+${capability}`,
      // Without it access(2), by which initdb looks for its binaries, forgets the capability again.
      "--securebits=+no_setuid_fixup",
    ],
  });
  // Docker's root has no dac_read_search.
  return [{ prefix: [], ids: owner, owner }, through("dac_read_search"), through("dac_override")];
}

async function firstThatRuns(candidates: RunAs[], root: string, binaries: Binaries): Promise<RunAs> {
  for (const way of candidates) {
    if ((await whyNotRunnable(way, root, binaries)) === undefined) return way;
  }
  const why = await whyNotRunnable(candidates[0]!, root, binaries);
  throw new StartError(
    `Postgres does not run as root, and user ${candidates[0]!.ids.uid} cannot use ${root} or ${binaries.postgres} (${why}): ` +
      "set DATABASE_URL, or move the folder to where other users may look",
  );
}

// Really enters the folder, really loads the binaries and their libraries: asking with `test` would ask access(2).
const PROBE = 'cd "$1" && "$2" --version && "$3" --version';

async function whyNotRunnable(way: RunAs, root: string, { initdb, postgres }: Binaries): Promise<string | undefined> {
  const [command = "sh", ...args] = [...way.prefix, "sh", "-c", PROBE, "probe", root, postgres, initdb];
  try {
    await run(command, args, { ...way.ids, env: postgresEnv, cwd: "/" });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return stderr?.trim().split("\n").at(-1) || message;
  }
}

/** The data's own user stays its user, whoever starts it next. */
async function ownerOf(root: string): Promise<Owner | undefined> {
  const { uid, gid } = await stat(root);
  return uid === 0 ? undefined : { uid, gid };
}

async function idsOf(user: string): Promise<Owner | undefined> {
  try {
    const [uid, gid] = await Promise.all(
      ["-u", "-g"].map(async (flag) => Number((await run("id", [flag, user])).stdout)),
    );
    return uid === undefined || gid === undefined ? undefined : { uid, gid };
  } catch {
    return undefined;
  }
}
