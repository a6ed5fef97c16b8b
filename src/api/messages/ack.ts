import { AppError } from "../../shared/errors.ts";

/** Up to where each room was read. */
export type Marks = ReadonlyMap<number, number>;

const VERSION = "2";
const TOKEN = /^2\.([0-9a-z]{1,32})((?:\.[0-9a-z]{1,11}-[0-9a-z]{1,11})*)$/;

/**
 * The ack token of an answer: the marks themselves, not a position, and the log that they are of. It covers what the
 * answer held and nothing else, works on any process, and needs nobody to remember it.
 */
export const encodeAck = (epoch: string, marks: Marks): string =>
  [VERSION, epoch, ...[...marks].map(([roomId, seq]) => `${roomId.toString(36)}-${seq.toString(36)}`)].join(".");

/** Of another log (a restored backup) it says nothing: the same numbers are other messages there. */
export function decodeAck(token: string | undefined, epoch: string): Marks {
  if (token === undefined || token === "") return new Map();
  const [, ofEpoch, list = ""] = TOKEN.exec(token) ?? [];
  if (ofEpoch === undefined) {
    const errors = [{ path: "ack", message: "is not a token that an answer of this endpoint gave" }];
    throw new AppError("validation_failed", `ack: ${errors[0]!.message}`, { errors });
  }
  if (ofEpoch !== epoch) return new Map();
  const pairs = list
    .split(".")
    .slice(1)
    .map((pair) => pair.split("-"));
  return mergeMarks(pairs.map(([room, seq]) => [safeNumber(room!), safeNumber(seq!)] as const));
}

const safeNumber = (digits: string): number => Math.min(Number.parseInt(digits, 36), Number.MAX_SAFE_INTEGER);

/** The furthest mark of each room. */
export function mergeMarks(...lists: Iterable<readonly [number, number]>[]): Map<number, number> {
  const merged = new Map<number, number>();
  for (const list of lists) {
    for (const [roomId, seq] of list) merged.set(roomId, Math.max(merged.get(roomId) ?? 0, seq));
  }
  return merged;
}
