import http from "node:http";

/** One poll that waits; told when its answer is complete, or that there is none. */
export interface Poll {
  readonly answered: Promise<number>;
  cancel(): void;
}

const agent = new http.Agent({
  keepAlive: true,
  maxSockets: Number.POSITIVE_INFINITY,
  maxFreeSockets: Number.POSITIVE_INFINITY,
});

/** `answered` is when the last byte came, on the monotonic clock. */
export function openPoll(url: string, userId: number): Poll {
  const { promise: answered, resolve, reject } = Promise.withResolvers<number>();
  const request = http.get(url, { agent, headers: { "x-user-id": String(userId) } }, (response) => {
    response.on("data", () => {});
    response.on("end", () => resolve(performance.now()));
    response.on("error", reject);
  });
  request.on("error", reject);
  answered.catch(() => undefined);
  return { answered, cancel: () => void request.destroy() };
}

/** A few at a time, so that the listening queue of the server does not overflow. */
export async function openPolls(
  count: number,
  open: (index: number) => Poll,
  parked: () => Promise<number>,
  progress: (done: number) => void,
): Promise<Poll[]> {
  const polls: Poll[] = [];
  while (polls.length < count) {
    for (let i = 0; i < 250 && polls.length < count; i++) polls.push(open(polls.length));
    while ((await parked()) < polls.length) await new Promise((resolve) => setTimeout(resolve, 5));
    progress(polls.length / count);
  }
  return polls;
}

export async function post(url: string, userId: number, body: string): Promise<void> {
  const headers = { "content-type": "application/json", "x-user-id": String(userId) };
  const response = await fetch(url, { method: "POST", headers, body });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
}

export async function waitingAtBare(bareUrl: string): Promise<number> {
  return Number(await (await fetch(`${bareUrl}/waiting`)).text());
}

export async function parkedReads(apiUrl: string): Promise<number> {
  const response = await fetch(`${apiUrl}/readyz`);
  return ((await response.json()) as { parked_reads: number }).parked_reads;
}
