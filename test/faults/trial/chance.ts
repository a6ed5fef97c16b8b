import { createHash } from "node:crypto";

/** Numbers from 0 to 1, the same ones for the same seed and words. */
export function chance(seed: number, words: string): () => number {
  let drawn = 0;
  return () => createHash("sha256").update(`${seed} ${words} ${drawn++}`).digest().readUInt32BE() / 2 ** 32;
}

export const oneOf = <T>(list: readonly T[], draw: () => number): T => list[Math.floor(draw() * list.length)]!;
