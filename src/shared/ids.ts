import { randomBytes } from "node:crypto";
import { validate } from "uuid";

/** Milliseconds on the clock that all processes share. */
export type Clock = () => number;

const COUNTER_BITS = 12;
const COUNTER_MAX = (1 << COUNTER_BITS) - 1;
const RANDOM_BYTES = 8;
// Random bytes are drawn a page at a time: one draw per id costs more than the rest of the id.
const POOL_BYTES = RANDOM_BYTES * 512;

/**
 * UUIDv7 that never goes backwards within a process: time, then a 12-bit counter, then chance.
 * A clock that stands still or steps back is answered by counting on from the last id.
 */
export function createIds(now: Clock): () => string {
  let lastMs = 0;
  let counter = 0;
  let pool = Buffer.alloc(0);
  let used = 0;

  return () => {
    const ms = now();
    if (ms > lastMs) {
      lastMs = ms;
      counter = 0;
    } else if (counter < COUNTER_MAX) {
      counter++;
    } else {
      lastMs++;
      counter = 0;
    }
    if (used >= pool.length) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    const random = pool.subarray(used, used + RANDOM_BYTES);
    used += RANDOM_BYTES;
    return format(lastMs, counter, random);
  };
}

function format(ms: number, counter: number, random: Buffer): string {
  const time = ms.toString(16).padStart(12, "0");
  const version = (0x7000 | counter).toString(16);
  const variant = ((random[0]! & 0x3f) | 0x80).toString(16);
  const rest = random.toString("hex", 1);
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}${rest.slice(0, 2)}-${rest.slice(2)}`;
}

/** When the id was made, by the shared clock. */
export const timeOfId = (id: string): Date => new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));

export const isId = (text: string): boolean => validate(text);
