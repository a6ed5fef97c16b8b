import { z } from "zod";
import { jobs, type SendJob } from "./catalog.ts";

/**
 * Sends that arrive together travel in one job, because what costs is the job and not the message. A group is only the
 * quick way: what can't be stored at the first try goes on in a job of its own, which is tried again, fails, is listed
 * and is put back for itself.
 */
export const SEND_GROUP = "message.send-group";

/** A send with the id of its task. */
export interface GroupedSend extends SendJob {
  readonly id: string;
}

export const sendGroup = z.object({ sends: z.array(jobs["message.send"].extend({ id: z.uuid() })) });

export const groupOptions = {
  // Only the queue itself can make it fail: it is tried until that is back.
  attempts: 10_000,
  backoff: { type: "fixed", delay: 1_000 },
  // Its messages are stored, or have jobs of their own.
  removeOnComplete: true,
} as const;

/** The last nine bits of an id say which of its group it is; the group itself has none of them set. */
const INDEX_BITS = 0x1ff;
export const MOST_IN_GROUP = 500;

/** The job that a message may have travelled in. */
export const groupIdOf = (id: string): string => memberIdOf(id, 0);

export function memberIdOf(groupId: string, index: number): string {
  const last = (Number.parseInt(groupId.slice(-4), 16) & ~INDEX_BITS) | index;
  return groupId.slice(0, -4) + last.toString(16).padStart(4, "0");
}
