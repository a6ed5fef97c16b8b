import { Problem } from "../client/index.ts";
import { readArguments } from "./arguments.ts";
import { Places } from "./places.ts";
import { reasonOf } from "./reason.ts";
import { sendLines } from "./send-lines.ts";
import { signIn } from "./sign-in.ts";
import { tail } from "./tail.ts";
import { Talk } from "./talk.ts";

/** `npm run chat -- --as user_1`: a chat in the terminal, and for pipes. */
const asked = readArguments(process.env);
const stopping = new AbortController();

// Whoever reads us has enough: no reason to complain.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());
stopping.signal.addEventListener("abort", () => process.exit(0));

try {
  process.exitCode = (await run()) ? 0 : 1;
} catch (error) {
  const isAway = error instanceof Problem && error.code === "unreachable";
  process.stderr.write(`${isAway ? `No answer from ${asked.url}: ` : ""}${reasonOf(error)}\n`);
  process.exitCode = 1;
}
// A connection that closes slowly keeps nobody waiting; what was written is on its way first.
process.stdout.write("", () => process.exit());

async function run(): Promise<boolean> {
  const client = await signIn(asked);
  const me = await client.me();
  const places = new Places(client, me.id);
  await places.load();
  const { room, to } = asked;
  const place = room !== undefined ? places.room(room) : to !== undefined ? await places.person(to) : undefined;
  if (asked.tail) return tail({ client, places, place, json: asked.json });
  if (!process.stdin.isTTY) return sendLines(client, place);
  return new Talk({ client, me, places, place }).run();
}
