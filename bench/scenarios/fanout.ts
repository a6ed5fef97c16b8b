import { makeGroup } from "../people.ts";
import { openPoll, openPolls, type Poll, parkedReads, post, waitingAtBare } from "../polls.ts";
import { median, percentile, type Row, type Scenario } from "../report.ts";
import { startBare } from "../system.ts";
import { TEXT } from "../text.ts";

const SIZES = [1_000, 5_000];
const ROUNDS = 5;

/** How long one message takes to reach all who wait in its room, beside a bare server that writes the same bytes. */
export const fanout: Scenario = async ({ system, progress }) => {
  const rows: Row[] = [];
  for (const size of SIZES) {
    const { roomId, userIds } = await makeGroup(system.database, size + 1);
    const [sender, ...readers] = userIds;
    const room = `${system.api.url}/v1/rooms/${roomId}/messages`;
    // Each round marks what it was given, so that the next one waits again.
    const poll = (i: number): Poll => openPoll(`${system.api.url}/v1/messages/unseen?wait=55`, readers[i]!);
    const ours: number[][] = [];
    const holds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const polls = await openPolls(size, poll, () => parkedReads(system.api.url), progress(`fanout ${size}`));
      await system.api.longestHoldMs();
      ours.push(await timed(polls, () => post(room, sender!, JSON.stringify({ text: TEXT }))));
      holds.push(await system.api.longestHoldMs());
      await system.database.query("update members set read_seq = 1000000 where room_id = $1", [roomId]);
    }
    const bare = await bareRounds(size, await answerOf(room, sender!), progress);
    rows.push(...compare(size, ours, bare.rounds), {
      scenario: `fanout ${size.toLocaleString("en")}`,
      figure: "event loop held, ms",
      ours: median(holds),
      ceiling: median(bare.holds),
      better: "less",
    });
  }
  return rows;
};

async function bareRounds(size: number, body: string, progress: Parameters<Scenario>[0]["progress"]) {
  const bare = await startBare();
  const rounds: number[][] = [];
  const holds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const open = (i: number): Poll => openPoll(bare.url, i);
    const polls = await openPolls(size, open, () => waitingAtBare(bare.url), progress(`fanout ${size}, bare`));
    await bare.longestHoldMs();
    rounds.push(await timed(polls, () => post(bare.url, 0, body)));
    holds.push(await bare.longestHoldMs());
  }
  await bare.stop();
  return { rounds, holds };
}

/** Bytes of the same length as those that a reader gets. */
async function answerOf(room: string, sender: number): Promise<string> {
  const response = await fetch(`${room}?limit=1`, { headers: { "x-user-id": String(sender) } });
  const { messages } = (await response.json()) as { messages: unknown[] };
  return JSON.stringify({ messages, unseen_count: 1, ack: "2.aaaaaaaa.a-1", more: false });
}

/** Milliseconds from the send to each answer. */
async function timed(polls: readonly Poll[], send: () => Promise<void>): Promise<number[]> {
  const startedAt = performance.now();
  const [answers] = await Promise.all([Promise.all(polls.map(({ answered }) => answered)), send()]);
  return answers.map((at) => at - startedAt).sort((a, b) => a - b);
}

function compare(size: number, ours: readonly number[][], bare: readonly number[][]): Row[] {
  const figures = { first: 0, p50: 0.5, p99: 0.99, last: 1 };
  return Object.entries(figures).map(([name, at]) => ({
    scenario: `fanout ${size.toLocaleString("en")}`,
    figure: `${name}, ms`,
    ours: median(ours.map((round) => percentile(round, at))),
    ceiling: median(bare.map((round) => percentile(round, at))),
    better: "less" as const,
  }));
}
