import { once } from "node:events";
import type { Message, ParleyClient } from "../client/index.ts";
import { clean, cleanJson } from "./clean.ts";
import type { Place, Places } from "./places.ts";

export interface TailOptions {
  readonly client: ParleyClient;
  readonly places: Places;
  /** Only what is said here. */
  readonly place: Place | undefined;
  readonly json: boolean;
}

/** What is said from now on, a line for each message, for as long as somebody reads. */
export async function tail({ client, places, place, json }: TailOptions): Promise<boolean> {
  for await (const event of client.events({ from: places.nextOffset })) {
    if (event.type === "room.created" || event.type === "room.updated" || event.type === "member.joined") {
      await places.load();
    } else if (event.type === "resync") {
      process.stderr.write("Something may be missing here: the log does not go on from where it was\n");
    } else if (event.type === "message.created" && isIn(place, event.data, places)) {
      const line = json ? cleanJson(event.data) : lineOf(event.data, places);
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
    }
  }
  return true;
}

const lineOf = ({ created_at, room_id, sender, text }: Message, places: Places): string =>
  `${created_at} ${places.nameOf(room_id)} ${clean(sender.username)}: ${clean(text)}`;

/** A person to whom nobody had spoken when it began may have got a room since. */
export function isIn(place: Place | undefined, { room_id }: Message, places: Places): boolean {
  if (!place) return true;
  return place.roomId === undefined ? places.isWith(room_id, place.target.to) : place.roomId === room_id;
}
