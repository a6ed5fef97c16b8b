import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../../src/local/free-port.ts";
import { services } from "../../services.ts";

const source = new URL("../../../deploy/nginx/", import.meta.url);

/** A line of the access log, as deploy/nginx/nginx.conf writes it. */
export interface Logged {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly requestId: string;
  /** Who was asked, one after the other, and what each said; `-` where nobody was. */
  readonly api: string;
  readonly apiStatus: string;
}

export interface Nginx {
  readonly url: string;
  readonly folder: string;
  /** All that it has said so far, as it was written. */
  said(): Promise<string>;
  logged(): Promise<Logged[]>;
  stop(): Promise<void>;
}

/** The project's own configuration with these ports in it; answers where it is. */
export async function renderConfig(apiPorts: readonly number[], listen: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "parley-nginx-"));
  await cp(source, folder, { recursive: true });
  const servers = apiPorts.map((port) => `server 127.0.0.1:${port} max_fails=0;`).join("\n  ");
  const upstream = await readFile(join(folder, "upstream.conf"), "utf8");
  const here = upstream
    .replace(/^resolver .*$/m, "") // nobody to ask: these are addresses
    .replace(/^ *server api:8000 resolve max_fails=0;$/gm, `  ${servers}`);
  if (here.includes("resolve ") || !here.includes(servers)) throw new Error(`upstream.conf is not as it was:\n${here}`);
  await writeFile(join(folder, "upstream.conf"), here);
  await writeFile(join(folder, "listen.conf"), listen);
  return folder;
}

/** Under whatever user runs the tests, in a folder of its own. */
export async function startNginx(apiPorts: readonly number[]): Promise<Nginx> {
  const port = await freePort();
  const folder = await renderConfig(apiPorts, `listen 127.0.0.1:${port};`);
  const log = join(folder, "said.log");
  const file = await open(log, "a");
  const child = spawn(services().nginx!, ["-p", `${folder}/`, "-c", join(folder, "nginx.conf"), "-e", "stderr"], {
    // A file, and no pipe: nginx opens /dev/stdout by its name.
    stdio: ["ignore", file.fd, file.fd],
  });
  const exited = once(child, "exit");
  await file.close();
  const said = (): Promise<string> => readFile(log, "utf8");
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}:\n${await said()}`);
    await sleep(10);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    folder,
    said,
    logged: async () =>
      (await said())
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Logged),
    async stop() {
      if (child.exitCode === null) child.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
