import { join } from "node:path";
import { expect } from "chai";
import type { Locator, Page } from "playwright-core";
import { rows } from "../../src/shared/db/database.ts";
import { buildRoom, buildUser, call, type Person, post, say, toRoom, toUser } from "../calls.ts";
import { expectNoFault } from "./axe.ts";
import { nameOf, password, screenshots, sessionOf, signIn, town, untilCount } from "./browser.ts";

const viewports = { desk: { width: 1_200, height: 800 }, phone: { width: 375, height: 720 } } as const;

describe("the admin's desk", function () {
  this.timeout(60_000);
  const here = town({ RATE_LIMITS: "off" });
  /** The same system, where tests may say who they are. */
  let demo: { url: string };
  let root: Person;
  let ann: Person;
  let ben: Person;
  let room: { id: number; name: string };

  before(async function () {
    this.timeout(60_000);
    demo = await here.world.startApi({ AUTH_MODE: "demo" });
    [root, ann, ben] = (await Promise.all(
      ["root", "ann", "ben"].map((name) => buildUser(demo, { username: nameOf(name), password })),
    )) as [Person, Person, Person];
    await rows(here.world.deps.em, "update users set is_admin = true where id = $1", [root.id]);
    // As long as a name may be, and without a place to break it.
    room = await buildRoom(demo, [ann, ben], { name: nameOf("w".repeat(70)), is_public: true });
    for (const text of ["Shall we walk?", "Buy cheap watches at http://example.org", "At three?"]) {
      await say(demo, ann, toRoom(room), text);
    }
    await say(demo, ann, toUser(ben), "between us");
    await failedJob();
  });

  async function failedJob(): Promise<string> {
    const { deps } = here.world;
    const id = deps.newId();
    const acceptedAt = new Date().toISOString();
    const data = { senderId: ann.id, roomId: 999_999, text: "between us", clientKey: null, acceptedAt };
    await deps.backend.queues[0]!.add("message.send", data, { jobId: id });
    while ((await deps.backend.queues[0]!.getJobState(id)) !== "failed");
    return id;
  }

  const url = (hash = "") => `${here.world.url}/admin${hash}`;
  /** As people do it. */
  async function enter(person: Person, { hash = "", device = "desk" as keyof typeof viewports } = {}): Promise<Page> {
    const page = await here.arrive({ url: url(hash), viewport: viewports[device] });
    await page.getByLabel("Username or e-mail").fill(person.username);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    return page;
  }
  const go = (page: Page, hash: string): Promise<void> =>
    page.evaluate((wanted) => {
      location.hash = wanted;
    }, hash);
  const heading = (page: Page, name: string): Locator => page.getByRole("heading", { level: 1, name });
  const row = (page: Page, text: string): Locator => page.getByRole("row").filter({ hasText: text });
  const doIt = (page: Page, name: string) => page.getByRole("dialog").getByRole("button", { name }).click();
  const told = (page: Page, words: string) => page.getByRole("status").getByText(words).waitFor();
  const section = (page: Page, name: string) =>
    page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name }).click();

  it("asks who one is with the form of the chat page, and is for admins alone", async () => {
    const page = await enter(ann);
    await heading(page, "This desk is for admins").waitFor();
    await page.screenshot({ path: join(screenshots, "admin-not-for-you.png") });
    expect(await page.getByRole("navigation").count()).to.equal(0);
    await expectNoFault(page, "not for you");
    await page.getByRole("link", { name: "Back to the chats" }).click();
    await page.getByRole("navigation", { name: "Lists" }).waitFor();
    await page.goto(url());
    await page.getByRole("button", { name: "Sign in as somebody else" }).click();
    await page.getByLabel("Username or e-mail").fill(root.username);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await heading(page, "Overview").waitFor();
    // The chat page of an admin leads here.
    await page.goto(here.world.url);
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("link", { name: "The admin's desk" }).click();
    await heading(page, "Overview").waitFor();
  });

  it("bans a user, who is sent away at once and told why, and lets them in again", async () => {
    const eve = await buildUser(demo, { username: nameOf("eve"), password });
    const theirs = await here.arrive();
    await signIn(theirs, eve.username);
    const page = await enter(root, { hash: "#/users" });
    await page.getByLabel("Search by name").fill(eve.username);
    await page.getByRole("link", { name: eve.username }).click();
    await heading(page, eve.username).waitFor();
    expect(await page.title()).to.equal("Users · Parley's desk");
    await page.getByRole("list", { name: "Sessions and tokens" }).getByText("Chrome").waitFor();
    await page.getByRole("button", { name: "Ban", exact: true }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("selling watches");
    await doIt(page, "Ban");
    await told(page, `${eve.username} is banned.`);
    await page.getByText("selling watches").waitFor();
    await theirs.getByText("Your session has ended").waitFor();
    await theirs.getByLabel("Username or e-mail").fill(eve.username);
    await theirs.getByLabel("Password").fill(password);
    await theirs.getByRole("button", { name: "Sign in" }).click();
    await theirs.getByText("This account is banned: selling watches").waitFor();
    await page.getByRole("button", { name: "Un-ban" }).click();
    await doIt(page, "Un-ban");
    await told(page, "may sign in again");
    await theirs.getByRole("button", { name: "Sign in" }).click();
    await theirs.getByText("No chats yet").waitFor();
    await page.getByRole("button", { name: "Sign out everywhere" }).click();
    await doIt(page, "Sign out");
    await theirs.getByText("Your session has ended").waitFor();
    await section(page, "Activity");
    await row(page, "banned user").first().waitFor();
    expect(await row(page, "selling watches").count()).to.equal(1);
  });

  it("deletes a message, which the chat page shows as deleted, and a room, which is gone there", async () => {
    const theirs = await here.arrive({ url: `${here.world.url}/#/rooms/${room.id}` });
    await signIn(theirs, ben.username);
    await theirs.getByText("Buy cheap watches").first().waitFor();
    const unseen = await buildRoom(demo, [ann, ben], { name: nameOf("elsewhere") });
    const { id } = await say(demo, ann, toRoom(unseen), "Buy more watches");
    const badge = theirs.getByRole("link", { name: unseen.name }).locator(".badge");
    await badge.getByText("1").waitFor();
    const page = await enter(root, { hash: "#/rooms" });
    await page.getByLabel("Search by name").fill(room.name);
    await page.getByRole("link", { name: room.name }).click();
    await row(page, "Buy cheap watches").getByRole("button", { name: "Delete" }).click();
    await doIt(page, "Delete the message");
    await told(page, "The message is deleted.");
    await theirs.getByText("This message was deleted").waitFor();
    expect(await theirs.getByText("Buy cheap watches").count()).to.equal(0);
    // One that was reported: found by its id, and unseen no more.
    await section(page, "Messages");
    await page.getByLabel("Message id").fill("no such id");
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByText("Is not the id of a message").waitFor();
    await page.getByLabel("Message id").fill(id.toUpperCase());
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByText("Buy more watches").waitFor();
    await page.getByRole("button", { name: "Delete the message" }).click();
    await doIt(page, "Delete the message");
    await told(page, "The message is deleted.");
    await badge.waitFor({ state: "detached" });
    await section(page, "Rooms");
    await page.getByLabel("Search by name").fill(unseen.name);
    await page.getByRole("link", { name: unseen.name }).click();
    await page.getByRole("button", { name: "Delete the room" }).click();
    await doIt(page, "Delete the room");
    await told(page, `${unseen.name} is deleted.`);
    await theirs.getByRole("link", { name: unseen.name }).waitFor({ state: "detached" });
  });

  it("leaves one where one was after a deletion far down, and asks nothing more about a room that one has left", async () => {
    const long = await buildRoom(demo, [ann], { name: nameOf("talkers") });
    const sent = Array.from({ length: 52 }, (_, i) =>
      post(demo, `${toRoom(long)}/messages`, { text: `no. ${i}` }, ann.id),
    );
    await Promise.all(sent);
    const page = await enter(root, { hash: "#/rooms" });
    await page.getByRole("link", { name: long.name }).click();
    await page.getByRole("button", { name: "Show more" }).click();
    const deletions = page.getByRole("row").getByRole("button", { name: "Delete" });
    await untilCount(deletions, 52);
    await deletions.last().click();
    await doIt(page, "Delete the message");
    await told(page, "The message is deleted.");
    await row(page, "deleted").waitFor();
    expect(await deletions.count()).to.equal(51);
    await deletions.first().click();
    await page.goBack();
    await heading(page, "Rooms").waitFor();
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  it("shows of a direct room that it is there, and not what is said in it", async () => {
    const page = await enter(root, { hash: "#/rooms" });
    await page.getByLabel("Which rooms").selectOption("Direct rooms");
    const both = page.getByRole("link").filter({ hasText: ann.username }).filter({ hasText: ben.username });
    await both.click();
    await page.getByText("What two people say to each other is not shown here").waitFor();
    expect(await page.getByText("between us").count()).to.equal(0);
    expect(await page.getByRole("button", { name: "Delete the room" }).count()).to.equal(0);
  });

  it("makes a key, shows it once, and revokes it", async () => {
    const page = await enter(root, { hash: "#/clients" });
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByRole("button", { name: "Make the key" }).click();
    await page.getByText("Must not be empty").waitFor();
    const name = nameOf("server");
    // The field that is wrong has the focus, so that one types at once.
    await page.waitForFunction(() => document.activeElement?.getAttribute("name") === "name");
    await page.keyboard.type(name);
    await page.keyboard.press("Enter");
    const key = await page.locator(".secret").innerText();
    const me = (headers: Record<string, string>) => call(here.world, "GET", "/v1/me", { headers });
    const acting = { "x-api-key": key, "x-act-as": String(ann.id) };
    expect((await me(acting)).body.id).to.equal(ann.id);
    await page.keyboard.press("Escape");
    await row(page, name).getByRole("button", { name: "Revoke" }).click();
    expect(await page.locator(".secret").count()).to.equal(0);
    await doIt(page, "Revoke");
    await told(page, `The key of ${name} is revoked.`);
    await row(page, name).waitFor({ state: "detached" });
    expect((await me(acting)).status).to.equal(401);
  });

  it("lists failed jobs, counts them while one looks, shows one without what was said, and retries", async () => {
    const page = await enter(root, { hash: "#/jobs" });
    const rows = page.getByRole("table", { name: "Failed jobs" }).getByRole("button", { name: "Show" });
    await rows.first().waitFor();
    const before = await rows.count();
    await failedJob();
    // Nobody asks for it: the page looks by itself.
    await rows.nth(before).waitFor();
    await rows.first().click();
    await page.getByRole("dialog").getByText("(10 characters)").waitFor();
    expect(await page.getByText("between us").count()).to.equal(0);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Retry", exact: true }).first().click();
    await doIt(page, "Retry");
    await told(page, "The job is in the queue again.");
    await page.getByRole("button", { name: "Retry all" }).click();
    await doIt(page, "Retry all");
    await told(page, "in the queue again");
  });

  it("opens the queues' own pages for as long as the session lasts, with a way back", async () => {
    const page = await enter(root);
    await page.getByRole("button", { name: "Queues" }).click();
    await page.waitForURL("**/admin/queues/**");
    await page.getByText(here.world.env.QUEUE_NAME).first().waitFor();
    expect(page.url()).to.not.include("ticket");
    await page.getByText("Retry and promote work here").waitFor();
    await page.screenshot({ path: join(screenshots, "admin-queues.png") });
    await page.goto(`${here.world.url}/admin/queues/api/queues`);
    expect(await page.locator("body").innerText()).to.include(here.world.env.QUEUE_NAME);
    await page.goto(url());
    const { accessToken } = await sessionOf(page);
    await call(here.world, "POST", "/v1/auth/logout", { headers: { authorization: `Bearer ${accessToken}` } });
    expect((await page.goto(`${here.world.url}/admin/queues/api/queues`))!.status()).to.equal(401);
  });

  it("tells how the system is, and when it can't be seen", async () => {
    const page = await enter(root);
    await heading(page, "Overview").waitFor();
    for (const name of ["postgres", "queue", "worker", "backlog", "tail"])
      await page.getByText(name, { exact: true }).waitFor();
    await page.getByText(process.version).waitFor();
    await page.context().setOffline(true);
    await page.getByText("What is shown here may be old").waitFor();
    await page.getByRole("button", { name: "Queues" }).click();
    await told(page, "The queues can't be opened");
    await page.context().setOffline(false);
    await page.getByText("What is shown here may be old").waitFor({ state: "detached" });
  });

  it("ends for whoever is no admin any more, at the next thing they do", async () => {
    const late = await buildUser(demo, { username: nameOf("late"), password });
    await call(demo, "PATCH", toUser(late), { as: root.id, body: { is_admin: true } });
    const page = await enter(late);
    await heading(page, "Overview").waitFor();
    await call(demo, "PATCH", toUser(late), { as: root.id, body: { is_admin: false } });
    await heading(page, "This desk is for admins").waitFor();
  });

  for (const device of ["desk", "phone"] as const) {
    it(`has no fault that keeps people out, and fits, in the light and in the dark on a ${device}`, async () => {
      const page = await enter(root, { device });
      const look = async (name: string): Promise<void> => {
        await page.getByText("Loading…").first().waitFor({ state: "detached" });
        for (const colorScheme of ["dark", "light"] as const) {
          await page.emulateMedia({ colorScheme });
          await page.screenshot({ path: join(screenshots, `admin-${name}-${device}-${colorScheme}.png`) });
          if (colorScheme === "light") await expectNoFault(page, name);
          else if (device === "desk") await expectNoFault(page, `${name} in the dark`, ["color-contrast"]);
        }
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow, `${name} is too wide`).to.be.at.most(0);
      };
      await heading(page, "Overview").waitFor();
      await look("overview");
      for (const [name, title] of [
        ["users", "Users"],
        [`users/${ann.id}`, ann.username],
        ["rooms", "Rooms"],
        [`rooms/${room.id}`, room.name],
        ["messages", "Messages"],
        ["clients", "Clients"],
        ["jobs", "Failed jobs"],
        ["actions", "Activity"],
      ] as const) {
        await go(page, `#/${name}`);
        await heading(page, title).waitFor();
        await look(name.replace("/", "-").replace(/\d+/, "one"));
      }
      await go(page, `#/users/${ann.id}`);
      await page.getByRole("button", { name: "Ban", exact: true }).click();
      await look("ban");
    });
  }
});
