import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";

/** The password in `path`, made at the first call. Hex, so that it stands in a URL as it is. */
export async function secretIn(path: string): Promise<string> {
  const kept = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return "";
  });
  // Empty: we were killed between making the file and writing into it, so nothing can have used it yet.
  if (kept.trim()) return kept.trim();
  const secret = randomBytes(24).toString("hex");
  await writeFile(path, secret, { mode: 0o600 });
  return secret;
}
