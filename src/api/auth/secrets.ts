import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 256 bits of chance after a word that tells what it is, so that a leaked one can be recognised. */
export const newSecret = (prefix: string): string => prefix + randomBytes(32).toString("base64url");

/** Enough for secrets that nobody chose: there is nothing to guess, so nothing needs to be slow. */
export const hashSecret = (secret: string): Buffer => createHash("sha256").update(secret).digest();

export const isSameHash = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

export const prefixes = { apiToken: "plt_", refreshToken: "plr_", clientSecret: "plc_" } as const;
