import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";
import { buildRoom, buildUser, buildUsers, call, get, type Person, post, say, toRoom, toUser } from "../calls.ts";
import { runToEnd, surroundings } from "../processes.ts";
import { type Api, buildWorld, type World } from "../world.ts";

const script = "src/chat/main.ts";
/** Clears the screen, rings, turns the direction, and ends with half of a colour. */
const hostile = "a\u001b[2J\u0007\u009b31m\u202egnirts\r\nb\u2028c";
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come
const harmful = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/;

describe("npm run chat", () => {
  let world: World;
  let strict: Api;
  let ann: Person;
  let ben: Person;
  let room: { id: number; name: string };
  const running: ChildProcess[] = [];

  const chat = (args: readonly string[], input = "", settings: Record<string, string> = {}) =>
    runToEnd(script, ["--url", world.url, ...args], settings, input);

  /** One that goes on, and what it has said so far. */
  function start(command: string, args: readonly string[]) {
    const child = spawn(command, args, { env: surroundings() });
    running.push(child);
    let said = "";
    const looks = new Set<() => void>();
    child.stdout.setEncoding("utf8").on("data", (text) => {
      said += text;
      for (const look of looks) look();
    });
    let complaints = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (complaints += text));
    const exited = once(child, "exit").then(([code, signal]) => code ?? signal);
    const until = (what: string | RegExp): Promise<void> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (typeof what === "string" ? !said.includes(what) : !what.test(said)) return;
          looks.delete(look);
          resolve();
        };
        looks.add(look);
        look();
        void exited.then(() => reject(new Error(`it ended before it said ${what}:\n${said}\n${complaints}`)));
      });
    return { child, exited, until, said: () => said, complaints: () => complaints };
  }
  const startChat = (...args: string[]) => start(process.execPath, [script, ...args, "--url", world.url]);

  const textsIn = async (path: string, reader: Person): Promise<string[]> =>
    (await get(world, `${path}/messages?limit=1000`, reader.id)).body.messages
      .map(({ text }: { text: string }) => text)
      .reverse();

  before(async () => {
    world = await buildWorld();
    strict = await world.startApi({ AUTH_MODE: "token" });
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    room = await buildRoom(world, [ann, ben]);
  });
  afterEach(() => {
    for (const child of running.splice(0)) child.kill("SIGKILL");
  });
  after(() => world?.close());

  describe("with a pipe", () => {
    it("sends a line to a person, and ends when it is stored", async () => {
      expect(await chat(["--as", ann.username, "--to", ben.username], "hi\n")).to.deep.equal({
        code: 0,
        stdout: "",
        stderr: "",
      });
      expect((await textsIn(toUser(ben), ann)).at(-1)).to.equal("hi");
    });

    it("sends many lines in their order, without the empty ones", async () => {
      const lines = Array.from({ length: 250 }, (_, i) => `line ${i}`);
      const { code, stderr } = await chat(["--as", String(ann.id), "--room", room.name], `${lines.join("\n\n")}`);
      expect([code, stderr]).to.deep.equal([0, ""]);
      expect(await textsIn(toRoom(room), ann)).to.deep.equal(lines);
    });

    it("says which line was refused and why, and sends the others", async () => {
      const other = await buildRoom(world, [ann]);
      const input = `one\n${"x".repeat(4_001)}\nthree`;
      const { code, stderr } = await chat(["--as", ann.username, "--room", String(other.id)], input);
      expect(code).to.equal(1);
      expect(stderr).to.match(/^Line 2 was not sent: text .*4.?000.*\n$/);
      expect(await textsIn(toRoom(other), ann)).to.deep.equal(["one", "three"]);
    });

    it("prints a line for each message, with nothing in it that a terminal would obey", async () => {
      const tail = startChat("--as", ben.username, "--tail", "--room", room.name);
      const lineFrom = async (text: string): Promise<string> => {
        await say(world, ann, toRoom(room), text);
        await tail.until("\n");
        return tail.said();
      };
      // It may still be on its way to the first event.
      let at = 0;
      const asking = setInterval(() => void say(world, ann, toRoom(room), `are you there ${at++}`), 100);
      await tail.until("are you there").finally(() => clearInterval(asking));
      await say(world, ann, toUser(ben), "elsewhere");
      await lineFrom(hostile);
      await tail.until(/gnirts.*\n/);
      const lines = tail.said().trimEnd().split("\n");
      expect(lines.at(-1)).to.match(new RegExp(`^\\d{4}-\\S+Z ${room.name} ${ann.username}: a.*gnirts ⏎ b ⏎ c$`));
      expect(tail.said()).to.not.match(harmful);
      expect(lines.filter((line) => line.includes("elsewhere"))).to.deep.equal([]);
      tail.child.kill("SIGINT");
      expect([await tail.exited, tail.complaints()]).to.deep.equal([0, ""]);
    });

    it("prints JSON for programs, and ends quietly when nobody reads it any more", async () => {
      const tail = startChat("--as", ben.username, "--tail", "--json");
      const asking = setInterval(() => void say(world, ann, toUser(ben), hostile), 100);
      try {
        await tail.until("\n");
        const [line] = tail.said().split("\n");
        expect(line).to.not.match(harmful);
        expect(JSON.parse(line!)).to.deep.include({ text: hostile, sender: { id: ann.id, username: ann.username } });
        tail.child.stdout!.destroy();
        expect([await tail.exited, tail.complaints()]).to.deep.equal([0, ""]);
      } finally {
        clearInterval(asking);
      }
    });
  });

  describe("says in one line what is wrong", () => {
    for (const [args, words] of [
      [[], "Who are you? --as <user> says it"],
      [["--as"], "--as <value>' argument missing"],
      [["--as", "nobody-at-all"], "Nobody is called nobody-at-all"],
      [["--as", "999999"], "No user has the id 999999"],
      [["--as", "1"], "To whom? --room or --to says where the lines go"],
      [["--as", "1", "--room", "nowhere"], "You are in no room called nowhere"],
      [["--as", "1", "--to", "no\u001b[2Jbody"], "Nobody is called no\ufffd[2Jbody"],
      [["--as", "1", "--room", "a", "--to", "b"], "Give --room or --to, not both"],
      [["--as", "1", "--json"], "--json goes with --tail"],
      [["--as", "1", "--wrong"], "Unknown option '--wrong'"],
      [["--as", "1", "more"], "Unexpected argument 'more'"],
    ] as const) {
      it(`about ${JSON.stringify(args)}`, async () => {
        const { code, stdout, stderr } = await chat(args);
        expect([code, stdout]).to.deep.equal([1, ""]);
        expect(stderr).to.include(words);
        expect(stderr.split("\n")).to.have.length(2);
      });
    }

    it("about a server that is not there, or is something else", async () => {
      for (const [url, words] of [
        ["http://127.0.0.1:1", "No answer from http://127.0.0.1:1: The connection failed"],
        ["parley.example.com", "Not an address: --url parley.example.com"],
      ] as const) {
        const { code, stderr } = await runToEnd(script, ["--as", "x", "--url", url], {});
        expect([code, stderr.split("\n").length]).to.deep.equal([1, 2]);
        expect(stderr).to.include(words);
      }
    });

    it("and explains itself", async () => {
      const { code, stdout } = await chat(["--help"]);
      expect(code).to.equal(0);
      expect(stdout).to.match(/^Usage: npm run chat -- --as <user>/);
    });
  });

  it("needs a password or a token where the server is not in demo mode", async () => {
    const run = (args: string[], settings = {}) =>
      runToEnd(script, [...args, "--url", strict.url], settings, "hello\n");
    const to = ["--to", ben.username];
    const without = await run(["--as", ann.username, ...to]);
    expect([without.code, without.stderr]).to.deep.equal([
      1,
      "This server asks for a password: --password, or PARLEY_PASSWORD in the environment\n",
    ]);
    const wrong = await run(["--as", ann.username, ...to], { PARLEY_PASSWORD: "wrong" });
    expect([wrong.code, wrong.stderr]).to.deep.equal([1, "The name or the password is wrong\n"]);
    expect((await run(["--as", ann.username, ...to], { PARLEY_PASSWORD: "Passw0rd!" })).code).to.equal(0);
    const signedIn = await post(strict, "/v1/auth/login", { username: ann.username, password: "Passw0rd!" });
    const headers = { authorization: `Bearer ${signedIn.body.access_token}` };
    const { body } = await call(strict, "POST", "/v1/auth/tokens", { headers, body: { name: "chat" } });
    expect(await run(to, { PARLEY_TOKEN: body.token })).to.deep.equal({ code: 0, stdout: "", stderr: "" });
  });

  describe("in a terminal", () => {
    before(function () {
      try {
        execFileSync("script", ["--version"], { stdio: "ignore" });
      } catch {
        this.skip(); // no pseudo-terminals without it
      }
    });

    const inTerminal = (...args: string[]) => {
      const command = [process.execPath, script, ...args, "--url", world.url].map((word) => `'${word}'`).join(" ");
      const terminal = start("script", ["-qefc", command, "/dev/null"]);
      return { ...terminal, type: (text: string) => void terminal.child.stdin!.write(text) };
    };

    it("shows rooms, history, and what is said; sends; tells how far it has come", async () => {
      const [me, you] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildRoom(world, [me, you]);
      await say(world, you, toRoom(group), "said before");
      const terminal = inTerminal("--as", me.username);
      await terminal.until(`/room ${group.name} (1 unseen)`);
      terminal.type("where am I\r");
      await terminal.until("Go somewhere first");
      terminal.type(`/room ${group.name}\r`);
      await terminal.until(`${you.username}: said before`);
      await terminal.until(`${group.name}> `);
      terminal.type("hello from a terminal\r");
      await terminal.until(`${group.name} ✓> `);
      const { body } = await get(world, `${toRoom(group)}/messages`, you.id);
      expect(body.messages[0]).to.include({ text: "hello from a terminal" });
      await post(world, "/v1/messages/seen", { message_ids: [body.messages[0].id] }, you.id);
      await terminal.until(`${group.name} ✓✓> `);
      await post(world, `${toRoom(group)}/typing`, {}, you.id);
      await terminal.until(`(${you.username} is typing)> `);
      terminal.type("half a li");
      await say(world, you, toRoom(group), hostile);
      await terminal.until(/gnirts ⏎ b ⏎ c\r\n.*half a li/s);
      terminal.type("\u0015/who\r");
      await terminal.until(`● ${me.username}`);
      terminal.type("/nothing\r/help\r");
      await terminal.until("There is no /nothing");
      await terminal.until("/quit");
      terminal.type("//slash\r/quit\r");
      expect(await terminal.exited).to.equal(0);
      expect(await textsIn(toRoom(group), me)).to.include.members(["hello from a terminal", "/slash"]);
      expect(terminal.said()).to.not.include("\u001b[2J").and.not.include("\u0007").and.not.include("\u202e");
    });

    it("begins a conversation with somebody new, and ends with Ctrl-C", async () => {
      const me = await buildUser(world);
      const terminal = inTerminal("--as", me.username, "--to", ben.username);
      await terminal.until(`${ben.username}> `);
      terminal.type("nice to meet you\r");
      await terminal.until(`${ben.username} ✓> `);
      await say(world, ben, toUser(me), "likewise");
      await terminal.until(`${ben.username}: likewise`);
      terminal.type("\u0003");
      expect(await terminal.exited).to.equal(0);
    });
  });
});
