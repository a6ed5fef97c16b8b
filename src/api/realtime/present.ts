import type { Entry } from "../../shared/log/entry.ts";
import { presentMessage } from "../messages/present.ts";
import { offsetOf } from "./offsets.ts";

/** The message of an entry, for anybody but its sender. */
export function messageJson(entry: Entry): string {
  const { texts } = entry;
  texts.message ??= JSON.stringify(presentMessage(entry.message!, undefined));
  return texts.message;
}

export function entryJson(entry: Entry, epoch: string, viewerId: number): string {
  const { texts } = entry;
  const isSender = entry.message !== null && entry.message.client_key !== null && entry.message.sender_id === viewerId;
  if (isSender) {
    texts.entryForSender ??= serialise(entry, epoch, JSON.stringify(presentMessage(entry.message!, viewerId)));
    return texts.entryForSender;
  }
  texts.entry ??= serialise(entry, epoch, entry.message ? messageJson(entry) : JSON.stringify(entry.data ?? {}));
  return texts.entry;
}

function serialise({ pos, type, roomId, actorId, at }: Entry, epoch: string, data: string): string {
  const frame = JSON.stringify({ offset: offsetOf(epoch, pos), type, room_id: roomId, actor_id: actorId, at });
  return `${frame.slice(0, -1)},"data":${data}}`;
}

export const entriesJson = (entries: readonly Entry[], epoch: string, viewerId: number): string =>
  `[${entries.map((entry) => entryJson(entry, epoch, viewerId)).join(",")}]`;
