import { availableParallelism } from "node:os";
import { hash, verify } from "@node-rs/argon2";
import { dictionary } from "@zxcvbn-ts/language-common";
import { invalid } from "../http/validation.ts";

const COMMON = 10_000;
const common = new Set((dictionary["passwords-common"] as readonly string[]).slice(0, COMMON));

/** What a new password must be besides long enough, which its schema says. */
export function assertGoodPassword(password: string, username: string): void {
  const message = mistakeIn(password.toLowerCase(), username.toLowerCase());
  if (message) throw invalid([{ path: "password", message }]);
}

function mistakeIn(password: string, username: string): string | undefined {
  if (password === username) return "must not be the username";
  if (/^\d+$/.test(password)) return "must not be digits only";
  if (common.has(password)) return "is one of the most common passwords";
  return undefined;
}

/**
 * Argon2id with the library's defaults (19 MiB, 2 passes), off the main thread. One core is left to those who wait:
 * twenty sign-ups at once would otherwise take every core from the parked reads.
 */
const atOnce = createGate(Math.max(1, availableParallelism() - 1));

export const hashPassword = (password: string): Promise<string> => atOnce(() => hash(password));

/** Without a hash (nobody by that name) the same work is done for nothing, so that time tells nothing. */
export async function verifyPassword(password: string, kept: string | undefined): Promise<boolean> {
  decoy ??= hashPassword("the password of nobody");
  const matches = await atOnce(async () => verify(kept ?? (await decoy!), password));
  return matches && kept !== undefined;
}

let decoy: Promise<string> | undefined;

function createGate(most: number) {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // Whoever is let in next takes over this place.
      if (next) next();
      else running--;
    }
  };
}
