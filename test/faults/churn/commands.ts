import type { Person } from "../../calls.ts";
import { unexpected } from "./answers.ts";
import type { Cluster, Told } from "./cluster.ts";
import { type Hold, holdMember, holdRoom } from "./hold.ts";
import type { Reader } from "./reader.ts";
import type { Command, Kind } from "./script.ts";

const MOST_ROOMS = 5;
/** What one is told who comes too late, or asks for what is not theirs. */
const refusals = new Set(["room_not_found", "not_a_member", "not_allowed", "member_not_found", "room_name_taken"]);

/** What needs no room; whatever else comes before there is one makes one. */
const roomless = new Set<Kind>(["direct", "create", "abort", "hop", "kill"]);
const forOwners = new Set<Kind>(["rename", "delete", "remove", "doom"]);

/** Where a script is played, and what was promised while it was. */
export interface Play {
  readonly cluster: Cluster;
  readonly users: readonly Person[];
  readonly readers: readonly Reader[];
  /** Begins the name of every room of this play. */
  readonly name: string;
  /** Who was given which task, and for what. */
  readonly sends: Map<string, { readonly id: number; readonly text: string }>;
  readonly marks: Map<string, Person>;
  /** Sends whose first try got no answer and whose second was refused: either may be true. */
  doubtful: number;
  count: number;
}

interface Scene {
  readonly play: Play;
  readonly command: Command;
  readonly room: number;
  /** Mostly a member of the room. */
  readonly user: Person;
  readonly other: Person;
}

const among = <T>(list: readonly T[], n: number): T => list[n % list.length]!;

/** Nobody keeps book of rooms and members: what is there is looked up when it is needed. */
export async function perform(command: Command, play: Play): Promise<void> {
  const { cluster, users, name } = play;
  const rooms = await cluster.rows<{ id: number; members: number[] }>(
    `select r.id, coalesce(array_agg(m.user_id order by m.role desc, m.user_id) filter (where m.user_id is not null), '{}') as members
     from rooms r left join members m on m.room_id = r.id where starts_with(r.name, $1) group by r.id order by r.id`,
    [name],
  );
  const room = rooms.length > 0 ? among(rooms, command.room) : undefined;
  const inside = users.filter(({ id }) => room?.members.includes(id));
  const user = among(command.stray || inside.length === 0 ? users : inside, command.user);
  const others = users.filter(({ id }) => id !== user.id);
  const scene = { play, command, room: room?.id ?? 0, user, other: among(others, command.other) };
  const owner = users.find(({ id }) => id === room?.members[0]);
  const byOwner = { ...scene, user: command.stray || !owner ? user : owner };
  const { kind } = room || roomless.has(command.kind) ? command : ({ kind: "create" } as const);
  if (kind === "create" && rooms.length >= MOST_ROOMS) return;
  await acts[kind](forOwners.has(kind) ? byOwner : scene);
}

const acts: Record<Kind, (scene: Scene) => Promise<unknown>> = {
  send: sendToRoom,
  direct: (scene) => times(scene, () => send(scene, `/v1/users/${scene.other.id}`)),
  seen: markSeen,
  create,
  join: (scene) => ask({ ...scene, user: scene.other }, "PUT", `${toRoom(scene)}/members/${scene.other.id}`),
  add: (scene) => ask(scene, "PUT", `${toRoom(scene)}/members/${scene.other.id}`),
  remove: (scene) => ask(scene, "DELETE", `${toRoom(scene)}/members/${scene.other.id}`),
  leave: (scene) => leave(scene),
  race: (scene) => race(scene),
  tug: (scene) => tug(scene),
  doom: (scene) => doom(scene),
  rename: (scene) => ask(scene, "PATCH", toRoom(scene), newRoom(scene)),
  delete: (scene) => remove(scene),
  abort: async (scene) => readerOf(scene)?.abort(),
  hop: async (scene) => readerOf(scene)?.hop(scene.command.mode, scene.command.api),
  kill: ({ play, command }) => play.cluster.kill(command.api),
};

const toRoom = ({ room }: Scene): string => `/v1/rooms/${room}`;
const readerOf = ({ play, command }: Scene): Reader | undefined => play.readers[command.user % play.readers.length];
const times = <T>({ command }: Scene, act: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: command.count }, act));

const newRoom = ({ play, command }: Scene) => ({
  name: `${play.name} ${++play.count}`,
  is_public: command.count > 2,
});

async function ask({ play, command, user }: Scene, method: string, path: string, body?: unknown): Promise<Told> {
  const answer = await play.cluster.ask(command.api, method, path, {
    as: user.id,
    ...(body !== undefined && { body }),
  });
  if (answer.status >= 300 && !refusals.has(answer.body.code)) throw unexpected(answer);
  return answer;
}

function create(scene: Scene): Promise<Told> {
  const members = scene.play.users.filter(({ id }) => id !== scene.other.id);
  return ask(scene, "POST", "/v1/rooms", { ...newRoom(scene), member_ids: members.map(({ id }) => id) });
}

/** With a key, so that it can be sent again when the API dies before it has answered. */
async function send(scene: Scene, path: string): Promise<Told> {
  const { play, user } = scene;
  const text = `${play.name} ${++play.count}`;
  const answer = await ask(scene, "POST", `${path}/messages`, { text, client_key: text });
  if (answer.status === 202) play.sends.set(answer.body.task_id, { id: user.id, text });
  else if (answer.again) play.doubtful++;
  return answer;
}

async function sendToRoom(scene: Scene): Promise<boolean> {
  const answers = await times(scene, () => send(scene, toRoom(scene)));
  return answers.some(({ status }) => status === 202);
}

/** Up to what the user's own reader has got in that room, or up to the end of it. */
async function markSeen(scene: Scene): Promise<boolean> {
  const { play, command, user } = scene;
  const said = play.readers
    .find((reader) => reader.user.id === user.id)
    ?.entries.findLast(({ type, room_id }) => type === "message.created" && room_id === scene.room);
  const up_to = said ? (command.count > 2 ? said.data["id"] : said.data["seq"]) : 1_000;
  const body = { room_id: scene.room, up_to };
  const answer = await play.cluster.ask(command.api, "POST", "/v1/messages/seen", { as: user.id, body });
  if (answer.status === 202) play.marks.set(answer.body.task_id, user);
  else if (!refusals.has(answer.body.code) && answer.body.code !== "message_not_found") throw unexpected(answer);
  return answer.status === 202;
}

const leave = (scene: Scene): Promise<Told> => ask(scene, "DELETE", `${toRoom(scene)}/members/${scene.user.id}`);
const remove = (scene: Scene): Promise<Told> => ask(scene, "DELETE", toRoom(scene));

/** A send is accepted at one door while its sender leaves by the other: the worker finds them gone. */
const race = (scene: Scene): Promise<void> =>
  inTurn(holdRoom(scene.play.cluster.sql, scene.room), [
    () => leave(scene).then(noTask),
    () => sendToRoom(elsewhere(scene)),
  ]);

/** The same for a read pointer that moves and the membership that it is part of. */
const tug = (scene: Scene): Promise<void> =>
  inTurn(holdMember(scene.play.cluster.sql, scene.room, scene.user.id), [
    () => markSeen(scene),
    () => leave(elsewhere(scene)).then(noTask),
  ]);

/** A room ends right after something was said in it, while the API through which that was said can't look. */
async function doom(scene: Scene): Promise<void> {
  const { cluster } = scene.play;
  const hold = await holdRoom(cluster.sql, scene.room);
  try {
    if (await sendToRoom(scene)) await hold.isWaitedFor();
    const thaw = cluster.freeze(scene.command.api);
    await hold.release();
    await remove(elsewhere(scene)).finally(thaw);
  } finally {
    await hold.release();
  }
}

const noTask = () => false;
const elsewhere = (scene: Scene): Scene => ({
  ...scene,
  command: { ...scene.command, api: scene.command.api === 0 ? 1 : 0 },
});

/**
 * Each begins when the one before waits for what is held, or can't; then all go on in this order.
 * Each answers whether it has left a task that a worker will begin.
 */
async function inTurn(holding: Promise<Hold>, begin: readonly (() => Promise<boolean>)[]) {
  const hold = await holding;
  const going: Promise<boolean>[] = [];
  try {
    let waiting = 0;
    for (const act of begin) {
      const one = act();
      one.catch(() => undefined);
      going.push(one);
      const isWaiting = hold.isWaitedFor(waiting + 1).then(() => true);
      if (await Promise.race([isWaiting, one.then((hasTask) => hasTask && isWaiting)])) waiting++;
    }
  } finally {
    await hold.release();
  }
  await Promise.all(going);
}
