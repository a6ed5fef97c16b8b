import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { buildUser } from "../calls.ts";
import { runToEnd } from "../processes.ts";
import { buildWorld, type World } from "../world.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const MOST_BYTES = 10 * 1_024;

/** Somebody who has nothing of ours but the package, and no types of Node. */
const consumer = `
import { type ClientEvent, type Message, ParleyClient, Problem, type SendHandle } from "parley-client";
const client: ParleyClient = new ParleyClient();
const handle: SendHandle = client.send({ to: 1 }, "hi");
export const stored: Promise<Message> = handle.stored;
export async function texts(): Promise<string[]> {
  const found: string[] = [];
  for await (const event of client.events({ transport: "sse" })) {
    if (event.type === "message.created") found.push(event.data.text);
    if (event.type === "messages.seen") found.push(event.data.up_to_seq.toFixed());
  }
  return found;
}
export const codeOf = (error: unknown) => (error instanceof Problem ? error.code : undefined);
// @ts-expect-error: to one room or to one person
client.send({ room: 1, to: 1 }, "both");
// @ts-expect-error: a typing event has no text
export const textOf = (event: Extract<ClientEvent, { type: "typing" }>) => event.text;
`;
const options = {
  target: "es2022",
  module: "nodenext",
  lib: ["es2022", "dom", "dom.iterable"],
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
};

describe("the package parley-client", () => {
  let folder: string;
  let built: string;
  let snippets: string[];

  before(async function () {
    this.timeout(60_000);
    folder = await mkdtemp(join(tmpdir(), "parley-client-"));
    built = join(folder, "node_modules", "parley-client");
    const { code, stderr } = await runToEnd(join(root, "src/build-client.ts"), ["--out", built], {});
    expect(code, stderr).to.equal(0);
    const readme = await readFile(join(built, "README.md"), "utf8");
    snippets = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!);
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("is one small module that needs nothing else", async () => {
    const code = await readFile(join(built, "index.js"), "utf8");
    expect(gzipSync(code, { level: 9 }).length).to.be.below(MOST_BYTES);
    expect(code).to.not.match(/\bfrom\s*["'`]|\bimport\s*[("'`]|\brequire\b/);
    const manifest = JSON.parse(await readFile(join(built, "package.json"), "utf8"));
    expect(manifest).to.include({ name: "parley-client", type: "module" });
    expect(manifest).to.not.have.any.keys("dependencies", "peerDependencies");
  });

  it("has types that hold without anything else, and so has every snippet of its README", async function () {
    this.timeout(60_000);
    const project = join(folder, "typed");
    await mkdir(project);
    await writeFile(join(project, "consumer.ts"), consumer);
    await Promise.all(snippets.map((text, i) => writeFile(join(project, `snippet-${i}.ts`), text)));
    const compilerOptions = { ...options, skipLibCheck: false };
    await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["."] }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const run = promisify(execFile)(process.execPath, [tsc, "-p", project], { cwd: project });
    const { stdout } = await run.catch((error) => ({ stdout: `${error.stdout}${error.stderr}` }));
    expect(stdout).to.equal("");
  });

  describe("chats from plain Node", () => {
    let world: World;
    before(async () => {
      world = await buildWorld();
      await buildUser(world, { username: "user_1" });
      await buildUser(world, { username: "user_2" });
    });
    after(() => world?.close());

    /** As whoever copies it would run it; it ends by itself, or it left something behind. */
    async function run(index: number): Promise<string[]> {
      const file = join(folder, `snippet-${index}.ts`);
      await writeFile(file, snippets[index]!.replaceAll("http://127.0.0.1:8000", world.url));
      const flags = ["--experimental-webstorage", `--localstorage-file=${join(folder, "storage")}`, "--no-warnings"];
      const { stdout } = await promisify(execFile)(process.execPath, [...flags, file], { timeout: 15_000 });
      return stdout.trimEnd().split("\n");
    }

    it("in ten lines", async () => {
      expect(snippets[0]!.split("\n").length).to.be.below(14);
      expect(await run(0)).to.deep.equal(["user_1: hello"]);
    });

    it("with a session", async () => {
      expect(await run(1)).to.deep.equal(["grace signed-in", "grace refreshed", "nobody signed-out"]);
    });

    it("following a send", async () => {
      expect(await run(2)).to.have.members(["accepted", "stored", "true true"]);
    });

    it("from a snapshot on", async () => {
      const said = await run(3);
      expect(said).to.include.members(["websocket connecting", "websocket live"]);
      expect(said.at(-1)).to.match(/^\d+ knock, knock$/);
    });

    it("with whatever has no method", async () => {
      expect((await run(4))[0]).to.match(/^200 [0-9a-f-]{36} \w+$/);
    });

    it("in every snippet of its README", () => expect(snippets).to.have.length(5));
  });
});
