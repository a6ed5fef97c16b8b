import { signal } from "@preact/signals";
import type { Entry } from "../../client/index.ts";
import { target } from "../route.ts";
import { peerOf, titleOf } from "../state/select.ts";
import type { State } from "../state/state.ts";

/** What a screen reader is told, politely. */
export const announcement = signal("");

/** What comes together is told together. */
const GATHER_MS = 400;
let gathered: string[] = [];

export function say(text: string): void {
  gathered.push(text);
  if (gathered.length > 1) return;
  setTimeout(() => {
    const told = gathered.length <= 2 ? gathered.join(". ") : `${gathered.length} new messages`;
    // What is the same as before would not be read out again.
    announcement.value = told === announcement.value ? `${told}\u00A0` : told;
    gathered = [];
  }, GATHER_MS);
}

/** Of a message in the room that is open the text, of one elsewhere where it is. */
export function announce({ meId, rooms }: State, entry: Entry): void {
  if (entry.type !== "message.created" || entry.data.sender.id === meId) return;
  const room = rooms.get(entry.room_id);
  if (!room || entry.offset <= room.asOf) return;
  const open = target.value;
  const isOpen = open && ("room" in open ? open.room === room.id : open.to === peerOf(room, meId)?.id);
  const { sender, text } = entry.data;
  say(isOpen ? `${sender.username}: ${text}` : `New message in ${titleOf(room, meId)}`);
}
