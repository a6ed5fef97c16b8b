import { readFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";

export interface ServerLog {
  /** For `stdio`: a file, so that the server can go on writing when we are gone. */
  readonly fd: number;
  /** Ours; the server has its own by then. */
  close(): Promise<void>;
  lastWords(): string;
}

const LINES = 15;

/** What a private server says goes to `server.log`; that of the start before stays beside it. */
export async function openServerLog(dir: string): Promise<ServerLog> {
  const path = join(dir, "server.log");
  await rename(path, `${path}.1`).catch(() => {}); // there is none at the first start
  const file = await open(path, "w", 0o600);
  return {
    fd: file.fd,
    close: () => file.close(),
    lastWords: () => readFileSync(path, "utf8").trim().split("\n").slice(-LINES).join("\n"),
  };
}
