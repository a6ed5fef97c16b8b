import { dictionary } from "@zxcvbn-ts/language-common";
import { invalid } from "../http/validation.ts";
import { hash, verify } from "./hashing.ts";

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

export const hashPassword = (password: string): Promise<string> => hash(password);

/** Without a hash (nobody by that name) the same work is done for nothing, so that time tells nothing. */
export async function verifyPassword(password: string, kept: string | undefined): Promise<boolean> {
  decoy ??= hash("the password of nobody");
  const matches = await verify(password, kept ?? (await decoy));
  return matches && kept !== undefined;
}

let decoy: Promise<string> | undefined;
