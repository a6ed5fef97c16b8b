import { hash } from "@node-rs/argon2";

/** Argon2id with the library's defaults (19 MiB, 2 passes), computed off the main thread. */
export const hashPassword = (password: string): Promise<string> => hash(password);
