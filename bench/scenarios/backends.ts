import { median, type Row, type Scenario } from "../report.ts";
import { startSystem } from "../system.ts";
import { openTraffic } from "./deliver.ts";

const ROUNDS = 5;
const MESSAGES = 1_500;

/** The same traffic as `deliver`, with Redis and with Postgres alone; here Redis is the ceiling. */
export const backends: Scenario = async ({ system, progress }) => {
  const other = await startSystem({ redis: false });
  const [redis, postgres] = await Promise.all([openTraffic(system), openTraffic(other)]);
  const told = progress("backends");
  const rates: number[] = [];
  const ceilings: number[] = [];
  for (const { round } of [redis, postgres]) await round(MESSAGES);
  for (let i = 0; i < ROUNDS; i++) {
    rates.push(await postgres.round(MESSAGES));
    ceilings.push(await redis.round(MESSAGES));
    told((i + 1) / ROUNDS);
  }
  redis.close();
  postgres.close();
  await other.stop();
  const rate = { ours: median(rates), ceiling: median(ceilings) };
  return [{ scenario: "backends", figure: "Postgres alone, msg/s", ...rate, better: "more" }] satisfies Row[];
};
