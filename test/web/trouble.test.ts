import { expect } from "chai";
import type { Page } from "playwright-core";
import { call } from "../calls.ts";
import { Relay } from "../faults/trial/relay.ts";
import type { Api } from "../world.ts";
import {
  box,
  bubbles,
  chat,
  lastTick,
  nameOf,
  open,
  say,
  sessionOf,
  signIn,
  tab,
  town,
  untilCount,
} from "./browser.ts";

const BURST = 200;

describe("the chat page, when things break", function () {
  this.timeout(90_000);
  const here = town();
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  it(`loses and repeats nothing of ${BURST} messages, whoever reloads or loses the connection in between`, async () => {
    const relay = await Relay.before(here.world.url);
    closing.push(() => relay.close());
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName, relay), here.settle(beaName, relay)]);
    await open(ann, beaName);
    await say(ann, "message 1");
    await chat(bea, annName).click();
    const troubles: Record<number, () => Promise<unknown>> = {
      40: () => bea.context().setOffline(true),
      60: async () => relay.reset(),
      80: () => bea.context().setOffline(false),
      100: () => bea.reload(),
      120: () => ann.context().setOffline(true),
      130: async () => relay.reset(),
      140: () => ann.context().setOffline(false),
      160: () => ann.reload(),
      180: async () => relay.reset(),
    };
    for (let i = 2; i <= BURST; i++) {
      await troubles[i]?.();
      if (troubles[i]) await box(ann).focus();
      // As one types, without looking first whether one may.
      await ann.keyboard.insertText(`message ${i}`);
      await ann.keyboard.press("Enter");
    }
    const all = Array.from({ length: BURST }, (_, i) => `message ${i + 1}`).sort();
    for (const page of [bea, ann]) expect((await allTexts(page)).sort()).to.deep.equal(all);
    await ann.locator(".outgoing .message").first().waitFor({ state: "detached" });
    await bea.reload();
    expect((await allTexts(bea)).sort()).to.deep.equal(all);
  });

  /** Everything that was said, loaded up to its beginning. */
  async function allTexts(page: Page): Promise<string[]> {
    await bubbles(page).getByText(`message ${BURST}`, { exact: true }).waitFor();
    const messages = page.getByRole("region", { name: "Messages" });
    while ((await page.getByText("This is where it begins.").count()) === 0) {
      const before = await bubbles(page).count();
      await messages.evaluate((element) => element.scrollTo(0, 0));
      await page.waitForFunction(
        (count) =>
          document.querySelectorAll(".message .text").length > count ||
          document.body.textContent?.includes("This is where it begins."),
        before,
      );
    }
    await untilCount(bubbles(page), BURST);
    return bubbles(page).allInnerTexts();
  }

  it("chats over each transport that is asked for", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    await open(ann, beaName);
    await say(ann, "which line is best?");
    await chat(bea, annName).click();
    await bea.getByRole("button", { name: /Connected|Connecting/ }).click();
    for (const [label, told] of [
      ["Server-sent events", "live=sse"],
      ["Long poll", "live=long-poll"],
      ["WebSocket", "/v1/ws"],
    ] as const) {
      const asked = new Promise<void>((resolve) => {
        const look = (url: string): void => void (url.includes(told) && resolve());
        bea.on("request", (request) => look(request.url()));
        bea.on("websocket", (socket) => look(socket.url()));
      });
      await bea.getByRole("radio", { name: label }).check();
      await asked;
      await bea.getByRole("button", { name: "Connected" }).getByText(label).waitFor();
      await say(ann, `is it ${label}?`);
      await bubbles(bea).getByText(`is it ${label}?`).waitFor();
      await lastTick(ann, "Seen").waitFor();
      await say(bea, `not ${label}`);
      await bubbles(ann).getByText(`not ${label}`).waitFor();
      await lastTick(bea, "Seen").waitFor();
    }
    expect(await bubbles(bea).count()).to.equal(7);
  });

  it("leads back to the sign-in when the session is over, and from there to where one was", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    await open(ann, beaName);
    await say(ann, "remember this place");
    await lastTick(ann, "Stored").waitFor();
    const { accessToken } = await sessionOf(ann);
    await ann.getByRole("button", { name: "Account" }).click();
    await ann.getByRole("dialog").waitFor();
    await call(here.world, "POST", "/v1/auth/logout", { headers: { authorization: `Bearer ${accessToken}` } });
    await ann.getByText("Your session has ended.").waitFor();
    await signIn(ann, annName);
    expect(await ann.getByRole("dialog").count()).to.equal(0);
    await bubbles(ann).getByText("remember this place").waitFor();
  });

  it("says that the server can't be reached, keeps what is written, and goes on by itself", async () => {
    const own = await here.world.startApi();
    const again = (api: Api) => here.world.startApi({ PORT: new URL(api.url).port });
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann] = await Promise.all([here.settle(annName, own), here.settle(beaName)]);
    await open(ann, beaName);
    await say(ann, "before");
    await lastTick(ann, "Stored").waitFor();
    await own.close();
    // Soon: attempts that fail in between do not put it off.
    await ann.getByText("The server can't be reached.").waitFor({ timeout: 4_000 });
    await say(ann, "meanwhile");
    await lastTick(ann, "Sending").waitFor();
    const back = await again(own);
    closing.push(() => back.close());
    await ann
      .getByRole("button", { name: "Try now" })
      .click({ timeout: 1_000 })
      .catch(() => {}); // it may be back already
    await ann.getByText("The server can't be reached.").waitFor({ state: "detached" });
    await lastTick(ann, "Stored").waitFor();
    expect(await bubbles(ann).allInnerTexts()).to.deep.equal(["before", "meanwhile"]);
  });

  it("says beside each field what is wrong with it", async () => {
    const ann = await here.arrive();
    await ann.getByLabel("Username or e-mail").fill("nobody at all");
    await ann.getByLabel("Password").fill("wrong");
    await ann.getByRole("button", { name: "Sign in" }).click();
    await expectWrong(ann, "Password", /name or the password/i);
    await ann.getByRole("button", { name: "Make an account" }).click();
    await ann.getByLabel("Username").fill("a b");
    await ann.getByLabel("Password").fill("short");
    await ann.getByLabel(/E-mail/).fill("not one");
    await ann.getByRole("button", { name: "Make the account" }).click();
    await expectWrong(ann, "Username", /letters, digits/i);
    await expectWrong(ann, "Password", /must have 8 characters at least/i);
    await expectWrong(ann, /E-mail/, /e-?mail/i);
    const taken = nameOf("taken");
    const owner = await here.settle(taken);
    await tab(owner, "Groups").click();
    await owner.getByRole("button", { name: "New group" }).click();
    await owner.getByRole("button", { name: "Create" }).click();
    await expectWrong(owner, "Name", /must not be empty/i);
    await ann.getByLabel("Username").fill(taken);
    await ann.getByLabel("Password").fill("a quiet harbour");
    await ann.getByLabel(/E-mail/).fill("");
    await ann.getByRole("button", { name: "Make the account" }).click();
    await expectWrong(ann, "Username", /taken/i);
  });

  async function expectWrong(page: Page, label: string | RegExp, words: RegExp): Promise<void> {
    const field = page.getByLabel(label);
    const wrong = page.locator(".field", { has: field }).locator(".wrong");
    await wrong.waitFor();
    expect(await wrong.innerText()).to.match(words);
    expect(await field.getAttribute("aria-invalid")).to.equal("true");
    expect(await field.getAttribute("aria-describedby")).to.equal(await wrong.getAttribute("id"));
  }

  it("tells why a message was refused, and lets one try again or let it go", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    await open(ann, beaName);
    let refusals = 1;
    await ann.route("**/v1/users/*/messages", async (route) => {
      if (route.request().method() !== "POST" || refusals-- <= 0) return route.continue();
      return route.fulfill({
        status: 403,
        contentType: "application/problem+json",
        body: JSON.stringify({ status: 403, code: "not_allowed", title: "Not allowed", detail: "Not today" }),
      });
    });
    await say(ann, "please");
    await ann.getByText("Not today").waitFor();
    await lastTick(ann, "Not sent").waitFor();
    await ann.getByRole("button", { name: "Try again" }).click();
    await lastTick(ann, "Stored").waitFor();
    refusals = 1;
    await say(ann, "once more");
    await ann.getByRole("button", { name: "Discard" }).click();
    await bubbles(ann).getByText("once more").waitFor({ state: "detached" });
    expect(await box(ann).isEnabled()).to.equal(true);
  });

  it("leaves nothing of who was here to who signs in next, and what was not sent to who wrote it", async () => {
    const own = await here.world.startApi();
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann] = await Promise.all([here.settle(annName, own), here.settle(beaName)]);
    await open(ann, beaName);
    await own.close();
    await say(ann, "not out yet");
    await lastTick(ann, "Sending").waitFor();
    await box(ann).fill("half a thou");
    const { user } = await sessionOf(ann);
    await ann.evaluate((id) => localStorage.setItem(`parley.outbox.${id}.damaged`, "{"), user.id);
    const back = await here.world.startApi({ PORT: new URL(own.url).port });
    closing.push(() => back.close());
    await ann.route("**/v1/users/*/messages", (route) => route.abort());
    await ann.getByRole("button", { name: "Account" }).click();
    await ann.getByRole("button", { name: "Sign out" }).click();
    await signIn(ann, beaName);
    await ann.getByText("No chats yet").waitFor();
    await open(ann, annName);
    expect(await box(ann).inputValue()).to.equal("");
    expect(await bubbles(ann).count()).to.equal(0);
    await ann.getByRole("button", { name: "Account" }).click();
    await ann.getByRole("button", { name: "Sign out" }).click();
    await ann.unroute("**/v1/users/*/messages");
    await signIn(ann, annName);
    await chat(ann, beaName).click();
    await bubbles(ann).getByText("not out yet").waitFor();
    await lastTick(ann, "Stored").waitFor();
  });
});
