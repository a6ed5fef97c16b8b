import { createHash, randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Env } from "../../shared/env.ts";

export interface SigningKey {
  /** Tells which key signed a token, without telling the key. */
  readonly id: string;
  readonly secret: Uint8Array;
}

/** The first signs, all verify. */
export async function readSigningKeys(env: Pick<Env, "AUTH_SECRET" | "DATA_DIR">): Promise<readonly SigningKey[]> {
  const secrets = env.AUTH_SECRET ?? [await keptSecret(env.DATA_DIR)];
  return secrets.map((secret) => ({
    id: createHash("sha256").update(`id of ${secret}`).digest("base64url").slice(0, 8),
    secret: new TextEncoder().encode(secret),
  }));
}

/** Made on the first start; of two processes that start at once, one makes it and both read it. */
async function keptSecret(dataDir: string): Promise<string> {
  const file = join(dataDir, "auth-secret");
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  await mkdir(dataDir, { recursive: true });
  await writeFile(draft, randomBytes(32).toString("base64url"), { mode: 0o600 });
  try {
    // A link is there whole or not at all: nobody reads a secret that is half written.
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
  const secret = await readFile(file, "utf8");
  if (secret.length < 32) throw new Error(`${file} holds no secret: delete it, and a new one is made`);
  return secret;
}
