import type { Answer } from "../../calls.ts";
import type { RoomList } from "./state.ts";

/** The rooms of one's own, and from where the feed goes on. */
export function roomListOf(answer: Answer): RoomList {
  if (answer.status !== 200 || answer.body.next !== null) throw unexpected(answer);
  return { offset: answer.headers.get("stream-next-offset")!, rooms: answer.body.rooms };
}

export const unexpected = ({ status, body }: Answer): Error =>
  new Error(`unexpected answer: ${status} ${JSON.stringify(body)}`);
