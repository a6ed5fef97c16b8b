import { randomInt } from "node:crypto";
import { expect } from "chai";
import fc from "fast-check";
import { buildUsers } from "../calls.ts";
import { hasRedis } from "../services.ts";
import { unexpected } from "./churn/answers.ts";
import { Cluster } from "./churn/cluster.ts";
import { type Play, perform } from "./churn/commands.ts";
import { Reader } from "./churn/reader.ts";
import { isAlone, modes, type Script, STEP, script, USERS, type Which } from "./churn/script.ts";
import { comparable, replay } from "./churn/state.ts";
import { entitled, expectExactly, expectGaplessLog, expectTurnsAsLogged, outcomes } from "./churn/truth.ts";

/** `CHURN_SEED` plays the scripts of an earlier run again, `CHURN_RUNS` plays more of them, `CHURN_LOG` counts what came. */
const seed = Number(process.env["CHURN_SEED"] ?? randomInt(2 ** 31));
const numRuns = Number(process.env["CHURN_RUNS"] ?? 3);
const MOST_MS_A_RUN = 60_000;

describe("a feed that is followed through churn", () => {
  let cluster: Cluster | undefined;
  let plays = 0;

  before(async function () {
    if (!hasRedis()) return this.skip();
    this.timeout(MOST_MS_A_RUN);
    cluster = await Cluster.start();
  });
  after(() => cluster?.close());

  it(`every reader gets what it is entitled to, once and in order (CHURN_SEED=${seed})`, async function () {
    this.timeout(numRuns * MOST_MS_A_RUN);
    const property = fc.asyncProperty(script, async (one) => playOut(one, await setUp(cluster!, ++plays)));
    // Two plays of one script are not alike: to look for a shorter one that fails as well would find another fault.
    const { failed, errorInstance } = await fc.check(property, { seed, numRuns, endOnFailure: true });
    if (failed) throw new Error(`play ${plays} of CHURN_SEED=${seed}`, { cause: errorInstance });
  });
});

async function setUp(cluster: Cluster, number: number): Promise<Play> {
  const users = await buildUsers(cluster.reach(0), USERS);
  return {
    cluster,
    users,
    readers: [],
    name: `play ${number}:`,
    sends: new Map(),
    marks: new Map(),
    doubtful: 0,
    count: 0,
  };
}

async function playOut({ commands, starts }: Script, setting: Play): Promise<void> {
  const { cluster, users } = setting;
  const [{ head: begin } = { head: 0 }] = await cluster.rows<{ head: number }>("select head from log_head");
  const idle = users.map((user, i) => new Reader(user, cluster, { mode: modes[i % 4]!, which: (i % 2) as Which }));
  const readers: Reader[] = [];
  const play: Play = { ...setting, readers };
  for (let step = 0; step * STEP < commands.length; step++) {
    const beginning = idle.filter((_, i) => starts[i] === step);
    const started = Promise.all(beginning.map((reader) => reader.start()));
    const now = commands.slice(step * STEP, (step + 1) * STEP);
    await together([started, ...now.filter((one) => !isAlone(one)).map((one) => perform(one, play))]);
    for (const one of now.filter(isAlone)) await perform(one, play);
    readers.push(...beginning);
  }
  const failures = await expectKeptPromises(play, begin);
  await expectGaplessLog(cluster);
  await expectTurnsAsLogged(cluster);
  await together(readers.map((reader) => expectFaithful(reader, cluster)));
  // Whoever meets one stands still for a second, and so do all who queue behind.
  const deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
  expect(await cluster.rows(deadlocks), "locks are taken in one order").to.deep.equal([{ deadlocks: 0 }]);
  if (process.env["CHURN_LOG"]) console.log(tally(play, failures));
}

/** The first failure, when all have ended: nothing goes on behind the back of what comes next. */
async function together(works: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}

/** Each accepted task ends, and the log says once how: stored, or refused. */
async function expectKeptPromises(play: Play, begin: number): Promise<number> {
  const { cluster, users, sends, marks, doubtful } = play;
  await Promise.all([...sends, ...marks].map(([task, { id }]) => ended(cluster, task, id)));
  const { stored, failed } = await outcomes(
    cluster,
    users.map(({ id }) => id),
    begin,
  );
  const told = [...stored, ...failed].map(({ task }) => task);
  expect(told, "told twice").to.have.length(new Set(told).size);
  expect([...new Set(sends.keys()).difference(new Set(told))], "accepted and lost").to.deep.equal([]);
  expect(told.filter((task) => !sends.has(task)).length, "never accepted").to.be.at.most(doubtful);
  for (const { task, user } of [...stored, ...failed]) expect(sends.get(task)?.id ?? user, task).to.equal(user);
  for (const { task, text } of stored) expect(text ?? sends.get(task)?.text).to.equal(sends.get(task)?.text ?? text);
  return failed.length;
}

async function ended(cluster: Cluster, task: string, userId: number): Promise<void> {
  for (;;) {
    const answer = await cluster.ask(0, "GET", `/v1/tasks/${task}?wait=20`, { as: userId });
    if (answer.status !== 200) throw unexpected(answer);
    if (answer.body.state === "done" || answer.body.state === "failed") return;
  }
}

async function expectFaithful(reader: Reader, cluster: Cluster): Promise<void> {
  const truth = await entitled(cluster, reader.user.id, reader.firstPosition);
  await reader.reach(truth.findLast(({ gone }) => !gone)?.pos ?? 0);
  const first = await reader.end();
  expectExactly(reader.entries, truth, reader.where);
  const last = comparable(await reader.lastSnapshot());
  expect(replay(first, reader.entries), `the entries of ${reader.where}`).to.deep.equal(last);
}

/** Whether a run has had enough of everything. */
function tally({ sends, marks, doubtful, readers }: Play, failures: number): string {
  const kinds = Map.groupBy(
    readers.flatMap(({ entries }) => entries),
    ({ type }) => type,
  );
  const entries = Object.fromEntries([...kinds].map(([type, list]) => [type, list.length]));
  return JSON.stringify({ sends: sends.size, marks: marks.size, failures, doubtful, ...entries });
}
