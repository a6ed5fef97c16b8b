import type { ClientEvent, Message, OwnUser, ParleyClient, SendHandle } from "../client/index.ts";
import { clean } from "./clean.ts";
import { type Command, commands, readLine } from "./commands.ts";
import type { Place, Places } from "./places.ts";
import { reasonOf } from "./reason.ts";
import { Screen } from "./screen.ts";

import { isIn } from "./tail.ts";

export interface TalkOptions {
  readonly client: ParleyClient;
  readonly me: OwnUser;
  readonly places: Places;
  readonly place: Place | undefined;
}

const PAGE = 20;
/** Somebody who has not typed for so long does not type any more. */
const TYPING_MS = 5_000;
const ticks = { sending: "…", accepted: "…", stored: "✓", seen: "✓✓", failed: "✗" } as const;

/** A person at a terminal. */
export class Talk {
  readonly #client: ParleyClient;
  readonly #me: OwnUser;
  readonly #places: Places;
  readonly #screen: Screen;
  #place: Place | undefined;
  #last: SendHandle | undefined;
  #typing: { readonly name: string; readonly over: NodeJS.Timeout } | undefined;

  constructor({ client, me, places, place }: TalkOptions) {
    this.#client = client;
    this.#me = me;
    this.#places = places;
    this.#place = place;
    this.#screen = new Screen(() => this.#onKey());
  }

  /** Until /quit, or the end of the input. */
  async run(): Promise<boolean> {
    this.#screen.say(`You are ${clean(this.#me.username)}. /help tells what there is.`);
    const reading = this.#read();
    if (this.#place) await this.#history(String(PAGE));
    else this.#listRooms();
    this.#showPrompt();
    await Promise.race([this.#listen(), reading]);
    await this.#last?.stored.catch(() => {}); // what was said last is still on its way
    this.#screen.close();
    return true;
  }

  async #listen(): Promise<void> {
    for await (const line of this.#screen) {
      const input = readLine(line);
      if ("name" in input && input.name === "quit") return;
      try {
        if ("text" in input) this.#send(input.text);
        else await this.#do(input);
      } catch (error) {
        this.#screen.say(reasonOf(error));
      }
      this.#showPrompt();
    }
  }

  async #do({ name, rest }: Command): Promise<void> {
    if (name === "help") for (const [command, what] of commands) this.#screen.say(`  ${command.padEnd(16)}${what}`);
    else if (name === "rooms") this.#listRooms();
    else if (name === "room") await this.#goTo(this.#places.room(rest));
    else if (name === "to") await this.#goTo(await this.#places.person(rest));
    else if (name === "history") await this.#history(rest);
    else if (name === "who") await this.#who();
    else this.#screen.say(`There is no /${clean(name)}; /help tells what there is`);
  }

  #send(text: string): void {
    if (text === "") return;
    if (!this.#place) throw new Error("Go somewhere first: /room <name>, or /to <user>");
    const handle = this.#client.send(this.#place.target, text);
    this.#last = handle;
    handle.on(() => {
      if (handle.state === "failed") {
        this.#screen.say(`✗ not sent: ${clean(text)}: ${reasonOf(handle.problem)}`);
      }
      if (handle === this.#last) this.#showPrompt();
    });
  }

  #listRooms(): void {
    const { rooms } = this.#places;
    if (rooms.length === 0) this.#screen.say("You are in no room yet: /to <user> begins one");
    for (const room of rooms) {
      const unseen = room.unseen_count > 0 ? ` (${room.unseen_count} unseen)` : "";
      const how = room.kind === "direct" ? "/to" : "/room";
      this.#screen.say(`  ${how} ${this.#places.nameOfRoom(room)}${unseen}`);
    }
  }

  async #goTo(place: Place): Promise<void> {
    this.#place = place;
    this.#last = undefined;
    await this.#history(String(PAGE));
  }

  async #history(count: string): Promise<void> {
    if (!this.#place) throw new Error("Go somewhere first: /room <name>, or /to <user>");
    if (!/^\d{0,3}$/.test(count)) throw new Error("/history takes a number from 1 to 999");
    const { target } = this.#place;
    const where = target.room === undefined ? { user: target.to } : { room: target.room };
    const { messages } = await this.#client.history({ ...where, limit: Number(count) || PAGE });
    for (const message of messages.toReversed()) this.#tell(message);
    const [newest] = messages;
    if (newest) await this.#client.markSeen({ room: newest.room_id, upTo: newest.id });
  }

  async #who(): Promise<void> {
    if (this.#place?.roomId === undefined) throw new Error("Go into a room first: /room <name>");
    const { members } = await this.#client.rooms.get(this.#place.roomId);
    const here = members.slice(0, 200); // as many as may be asked for at once
    const presence = await this.#client.presence(here.map(({ id }) => id));
    const online = new Set(presence.filter((one) => one.online).map(({ user_id }) => user_id));
    for (const { id, username } of here) this.#screen.say(`  ${online.has(id) ? "●" : "○"} ${clean(username)}`);
  }

  async #read(): Promise<void> {
    for await (const event of this.#client.events({ from: this.#places.nextOffset })) await this.#hear(event);
  }

  async #hear(event: ClientEvent): Promise<void> {
    if (event.type === "message.created") await this.#hearMessage(event.data);
    else if (event.type === "typing") this.#hearTyping(event.room_id, event.user_id);
    else if (event.type === "resync") this.#screen.say("Something may be missing above: /history shows it");
    if (event.type.startsWith("room.") || event.type.startsWith("member.") || event.type === "resync") {
      await this.#places.load();
    }
  }

  async #hearMessage(message: Message): Promise<void> {
    const isHere = this.#place !== undefined && isIn(this.#place, message, this.#places);
    if (isHere && this.#place?.roomId === undefined) this.#place = this.#places.room(String(message.room_id));
    const isMine = message.sender.id === this.#me.id;
    if (isMine && isHere) return; // it stands where it was typed
    if (this.#typing?.name === clean(message.sender.username)) this.#stopTyping();
    this.#tell(message, isHere ? "" : `[${this.#places.nameOf(message.room_id)}] `);
    if (isHere) await this.#client.markSeen({ room: message.room_id, upTo: message.id });
  }

  #tell({ created_at, sender, text }: Message, where = ""): void {
    const at = new Date(created_at).toTimeString().slice(0, 5);
    this.#screen.say(`${where}${at} ${clean(sender.username)}: ${clean(text)}`);
  }

  #hearTyping(roomId: number, userId: number): void {
    if (roomId !== this.#place?.roomId) return;
    clearTimeout(this.#typing?.over);
    const over = setTimeout(() => this.#stopTyping(), TYPING_MS).unref();
    this.#typing = { name: this.#places.usernameOf(userId), over };
    this.#showPrompt();
  }

  #stopTyping(): void {
    clearTimeout(this.#typing?.over);
    this.#typing = undefined;
    this.#showPrompt();
  }

  #onKey(): void {
    const { draft } = this.#screen;
    if (this.#place?.roomId !== undefined && draft !== "" && !draft.startsWith("/")) {
      this.#client.typing(this.#place.roomId);
    }
  }

  /** Where I am, how far my last message has come, and who is typing. */
  #showPrompt(): void {
    const tick = this.#last ? ` ${ticks[this.#last.state]}` : "";
    const typing = this.#typing ? ` (${this.#typing.name} is typing)` : "";
    this.#screen.prompt(`${this.#place?.name ?? ""}${tick}${typing}> `);
  }
}
