import { makeGroup } from "../people.ts";
import { openPoll, openPolls, type Poll, parkedReads, waitingAtBare } from "../polls.ts";
import type { Row, Scenario } from "../report.ts";
import { residentBytes, type Served, startBare } from "../system.ts";

const COUNTS = [1_000, 5_000, 10_000];
/** At most so many users; each parks as many polls as it takes. */
const USERS = 5_000;

/** How much memory a poll takes while it waits, beside a bare server that does nothing else. */
export const idle: Scenario = async ({ system, progress }) => {
  const { userIds } = await makeGroup(system.database, USERS);
  const rows: Row[] = [];
  for (const count of COUNTS) {
    const ours = await measure(
      system.api,
      count,
      () => parkedReads(system.api.url),
      progress(`idle ${count}`),
      (i) => openPoll(`${system.api.url}/v1/messages/unseen?wait=55`, userIds[i % userIds.length]!),
    );
    const bare = await startBare();
    const theirs = await measure(
      bare,
      count,
      () => waitingAtBare(bare.url),
      progress(`idle ${count}, bare`),
      (i) => openPoll(bare.url, i),
    );
    await bare.stop();
    rows.push({
      scenario: `idle ${count.toLocaleString("en")}`,
      figure: "KiB for each poll",
      ours: ours / 1_024,
      ceiling: theirs / 1_024,
      better: "less",
    });
  }
  return rows;
};

async function measure(
  server: Served,
  count: number,
  parked: () => Promise<number>,
  progress: (done: number) => void,
  open: (index: number) => Poll,
): Promise<number> {
  const before = await residentBytes(server);
  const polls = await openPolls(count, open, parked, progress);
  const after = await residentBytes(server);
  for (const poll of polls) poll.cancel();
  // Those of one count must not stand in the next.
  await Promise.allSettled(polls.map(({ answered }) => answered));
  return (after - before) / count;
}
