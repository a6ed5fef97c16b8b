import { expect } from "chai";
import { call } from "../calls.ts";
import {
  bubbles,
  chat,
  lastTick,
  nameOf,
  open,
  say,
  sessionOf,
  signUp,
  tab,
  town,
  untilCount,
  untilTitle,
} from "./browser.ts";

describe("the chat page", function () {
  this.timeout(60_000);
  const here = town();

  it("two people make accounts, find each other and chat; ticks turn to seen, badges count and clear", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.arrive(), here.arrive()]);
    await Promise.all([signUp(ann, annName), signUp(bea, beaName)]);
    await open(ann, beaName);
    await say(ann, "hello Bea");
    await lastTick(ann, "Stored").waitFor();
    await say(ann, "are you there?");
    await chat(bea, annName).getByText("2 unseen").waitFor();
    await untilTitle(bea, "(2) Parley");
    expect(await tab(bea, "Chats").innerText()).to.match(/2/);
    await chat(bea, annName).click();
    await bubbles(bea).getByText("are you there?").waitFor();
    await bea.getByText("Today", { exact: true }).waitFor();
    await untilTitle(bea, "Parley");
    await chat(bea, annName).getByText("unseen").waitFor({ state: "detached" });
    await lastTick(ann, "Seen").waitFor();
    await say(bea, "yes!");
    await bubbles(ann).getByText("yes!").waitFor();
    await lastTick(bea, "Seen").waitFor();
    expect(await bubbles(ann).allInnerTexts()).to.deep.equal(["hello Bea", "are you there?", "yes!"]);
    expect(await bubbles(bea).allInnerTexts()).to.deep.equal(["hello Bea", "are you there?", "yes!"]);
  });

  it("a message in a tab that nobody looks at is not seen until somebody does", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    await open(ann, beaName);
    await say(ann, "first");
    await chat(bea, annName).click();
    await lastTick(ann, "Seen").waitFor();
    const look = (state: string): Promise<void> =>
      bea.evaluate((now) => {
        Object.defineProperty(document, "visibilityState", { value: now, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    await look("hidden");
    await say(ann, "second");
    await bubbles(bea).getByText("second").waitFor();
    await untilTitle(bea, "(1) Parley");
    await lastTick(ann, "Stored").waitFor();
    await look("visible");
    await untilTitle(bea, "Parley");
    await lastTick(ann, "Seen").waitFor();
  });

  it("says who types, and stops when the message is there", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const still = { reducedMotion: "reduce" } as const;
    const [ann, bea] = await Promise.all([here.settle(annName, still), here.settle(beaName)]);
    await open(ann, beaName);
    await say(ann, "hi");
    await chat(bea, annName).click();
    await bea.getByRole("textbox", { name: "Message" }).pressSequentially("on my w");
    await ann.locator(".typing-line").getByText(`${beaName} is typing…`).waitFor();
    expect(await ann.evaluate(() => document.getAnimations().length)).to.equal(0);
    await bea.getByRole("textbox", { name: "Message" }).press("Enter");
    await bubbles(ann).getByText("on my w").waitFor();
    await ann.getByText(`${beaName} is typing…`).first().waitFor({ state: "detached" });
  });

  it("three people share a group; one joins, one leaves", async () => {
    const names = [nameOf("ann"), nameOf("bea"), nameOf("cid")] as const;
    const [ann, bea, cid] = await Promise.all(names.map((name) => here.settle(name)));
    const group = nameOf("picnic");
    await tab(ann!, "Groups").click();
    await ann!.getByRole("button", { name: "New group" }).click();
    await ann!.getByLabel("Name").fill(group);
    await ann!.getByLabel("Public").check();
    await ann!.getByLabel("Search members").fill(names[1]);
    await ann!.getByRole("checkbox", { name: names[1] }).check();
    await ann!.getByRole("button", { name: "Create" }).click();
    await say(ann!, "who brings what?");
    await chat(bea!, group).getByText("1 unseen").waitFor();

    await tab(cid!, "Groups").click();
    await cid!.getByRole("button", { name: `Join ${group}` }).click();
    await bubbles(cid!).getByText("who brings what?").waitFor();
    await chat(bea!, group).click();
    await say(cid!, "I bring bread");
    await bubbles(ann!).getByText("I bring bread").waitFor();
    await bubbles(bea!).getByText("I bring bread").waitFor();
    await lastTick(cid!, "Seen by 2 of 2").waitFor();
    expect(await ann!.locator(".sender").allInnerTexts()).to.deep.equal([names[2]]);

    await cid!.getByRole("button", { name: "About this group" }).click();
    await cid!.getByRole("button", { name: "Leave the group" }).click();
    await cid!.getByText("Pick a conversation").waitFor();
    await ann!.getByText("Public group · 2 members").waitFor();
    await tab(cid!, "Chats").click();
    await cid!.getByText("No chats yet").waitFor();
  });

  it("an owner renames a group, brings people in and puts them out", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    const [before, after] = [nameOf("walkers"), nameOf("runners")];
    await tab(ann, "Groups").click();
    await ann.getByRole("button", { name: "New group" }).click();
    await ann.getByLabel("Name").fill(before);
    await ann.getByRole("button", { name: "Create" }).click();
    await ann.getByRole("button", { name: "About this group" }).click();
    await ann.getByRole("button", { name: "Add people" }).click();
    await ann.getByLabel("Search new members").fill(beaName);
    await ann.getByRole("checkbox", { name: beaName }).check();
    await ann.getByRole("button", { name: "Add", exact: true }).click();
    await chat(bea, before).click();
    await ann.getByText("Rename, or open to all").click();
    await ann.getByLabel("Name").fill(after);
    await ann.getByRole("button", { name: "Save" }).click();
    await bea.getByRole("heading", { name: after }).waitFor();
    await ann.getByRole("button", { name: `Remove ${beaName}` }).click();
    await bea.getByText("not yours to see").waitFor();
    await bea.getByText("No chats yet").waitFor();
  });

  it("shows who is there, and what they say of themselves", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    await bea.getByRole("button", { name: "Account" }).click();
    await bea.getByLabel("Status", { exact: true }).selectOption("Busy");
    await bea.getByLabel("Status message").fill("in a meeting");
    await bea.getByRole("button", { name: "Save" }).click();
    await bea.getByText("busy · in a meeting").waitFor();
    await open(ann, beaName);
    await ann.locator(".conversation-head").getByText("busy · in a meeting").waitFor();
  });

  it("a history loads upwards as one scrolls, and what one reads stays where it is", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    const [{ accessToken }, { user }] = [await sessionOf(ann), await sessionOf(bea)];
    const headers = { authorization: `Bearer ${accessToken}` };
    for (let i = 1; i <= 130; i++) {
      await call(here.world, "POST", `/v1/users/${user.id}/messages`, { headers, body: { text: `message ${i}` } });
    }
    await chat(bea, annName).getByText("130 unseen").waitFor();
    await chat(ann, beaName).click();
    await lastTick(ann, "Stored").waitFor();
    await chat(bea, annName).click();
    await bea.getByText("New", { exact: true }).waitFor();
    // One begins to read where the unseen begins, so that nothing below counts as seen yet.
    await bubbles(bea).getByText("message 1", { exact: true }).waitFor();
    await chat(bea, annName).getByText("unseen").waitFor();
    await bea.reload();
    await bea.getByRole("button", { name: /new|Latest/ }).click();
    await untilTitle(bea, "Parley");
    await lastTick(ann, "Seen").waitFor();

    await bea.reload();
    await bubbles(bea).getByText("message 130", { exact: true }).waitFor();
    expect(await bubbles(bea).count()).to.be.lessThan(130);
    const messages = bea.getByRole("region", { name: "Messages" });
    const held = Promise.withResolvers<void>();
    await bea.route(/before=/, (route) => held.promise.then(() => route.continue()));
    await messages.evaluate((element) => element.scrollTo(0, 300));
    const anchor = await bubbles(bea).evaluateAll(
      (all) => all.find((text) => text.getBoundingClientRect().top > 150)?.textContent ?? "",
    );
    const place = async () => (await bubbles(bea).getByText(anchor, { exact: true }).boundingBox())!.y;
    const before = await place();
    held.resolve();
    await bubbles(bea).getByText("message 31", { exact: true }).waitFor({ state: "attached" });
    expect(Math.abs((await place()) - before)).to.be.lessThan(3);
    await messages.evaluate((element) => element.scrollTo(0, 0));
    await bea.getByText("This is where it begins.").waitFor();
    expect(await bubbles(bea).count()).to.equal(130);
  });

  it("a history that is on its way loses nothing that is said meanwhile, and brings back nothing that is deleted", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    await open(ann, beaName);
    for (const text of ["a secret", "nothing"]) await say(ann, text);
    await chat(bea, annName).getByText("nothing").waitFor();
    await bea.reload();
    const [read, held] = [Promise.withResolvers<{ id: string; text: string }[]>(), Promise.withResolvers<void>()];
    await bea.route(/\/v1\/rooms\/\d+\/messages/, async (route) => {
      const response = await route.fetch();
      read.resolve((await response.json()).messages);
      await held.promise;
      await route.fulfill({ response });
    });
    await chat(bea, annName).click();
    const { id } = (await read.promise).find(({ text }) => text === "a secret")!;
    const { accessToken } = await sessionOf(ann);
    await call(here.world, "DELETE", `/v1/messages/${id}`, { headers: { authorization: `Bearer ${accessToken}` } });
    await say(ann, "a word");
    await chat(bea, annName).getByText("a word").waitFor();
    held.resolve();
    await untilCount(bubbles(bea), 3);
    expect(await bubbles(bea).allInnerTexts()).to.deep.equal(["This message was deleted", "nothing", "a word"]);
  });

  it("says in demo mode who is there and how to be them, and nowhere else", async () => {
    const demo = await here.world.startApi({ AUTH_MODE: "demo" });
    const body = { username: "user_1", password: "Passw0rd!" };
    expect((await call(demo, "POST", "/v1/users", { body })).status).to.equal(201);
    const [ann, bea] = await Promise.all([here.arrive({ url: demo.url }), here.arrive()]);
    await ann.getByText("Demo mode:").waitFor();
    expect(await bea.getByText("Demo mode:").count()).to.equal(0);
    await ann.getByLabel("Username or e-mail").fill("user_1");
    await ann.getByLabel("Password").fill(await ann.locator("code").innerText());
    await ann.getByLabel("Password").press("Enter");
    await ann.getByText("No chats yet").waitFor();
  });

  it("signs out, here and in the other tab", async () => {
    const ann = await here.settle(nameOf("ann"));
    const second = await ann.context().newPage();
    await second.goto(here.world.url);
    await second.getByText("No chats yet").waitFor();
    await ann.getByRole("button", { name: "Account" }).click();
    await ann.getByRole("button", { name: "Sign out" }).click();
    await ann.getByRole("button", { name: "Sign in" }).waitFor();
    await second.getByRole("button", { name: "Sign in" }).waitFor();
  });
});
