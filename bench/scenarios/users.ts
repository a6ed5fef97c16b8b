import { Connection } from "../client.ts";
import { makeGroup } from "../people.ts";
import { median, type Row, type Scenario } from "../report.ts";
import { startBareKoa } from "../system.ts";

const USERS = 1_000;
const CONNECTIONS = 16;
const ROUNDS = 7;
const ANSWERS = 1_500;
const PATH = `/v1/users?limit=${USERS}`;

/** Answers a second with the cached list of a thousand users, beside Koa that has the same bytes at hand. */
export const users: Scenario = async ({ system, progress }) => {
  const { userIds } = await makeGroup(system.database, USERS);
  const bare = await startBareKoa();
  const [ours, theirs] = await Promise.all([system.api.url, bare.url].map(connections));
  const { body } = await ours![0]!.get(PATH, userIds[0]!);
  await fetch(bare.url, { method: "POST", body });
  const told = progress("users");
  const rates: number[] = [];
  const ceilings: number[] = [];
  await round(ours!, userIds[0]!, body.length);
  await round(theirs!, userIds[0]!, body.length);
  for (let i = 0; i < ROUNDS; i++) {
    rates.push(await round(ours!, userIds[0]!, body.length));
    ceilings.push(await round(theirs!, userIds[0]!, body.length));
    told((i + 1) / ROUNDS);
  }
  for (const connection of [...ours!, ...theirs!]) connection.close();
  await bare.stop();
  const rate = { ours: median(rates), ceiling: median(ceilings) };
  return [{ scenario: "users", figure: "lists of 1,000 a second", ...rate, better: "more" }] satisfies Row[];
};

const connections = (url: string): Promise<Connection[]> =>
  Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(url)));

async function round(open: readonly Connection[], userId: number, length: number): Promise<number> {
  const startedAt = performance.now();
  let begun = 0;
  await Promise.all(
    open.map(async (connection) => {
      while (begun++ < ANSWERS) {
        const { status, body } = await connection.get(PATH, userId);
        if (status !== 200 || body.length !== length) throw new Error(`${PATH} answered ${status}`);
      }
    }),
  );
  return ANSWERS / ((performance.now() - startedAt) / 1_000);
}
