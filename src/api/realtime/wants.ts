import type { Entry } from "../../shared/log/entry.ts";

/** What makes somebody's unseen count grow: a message in their rooms that is not their own. */
export const isNewMessageFor = (entry: Entry, userId: number): boolean =>
  entry.type === "message.created" && entry.message !== null && entry.actorId !== userId;
