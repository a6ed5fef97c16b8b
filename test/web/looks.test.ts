import { join } from "node:path";
import { expect } from "chai";
import type { Page } from "playwright-core";
import { expectNoFault } from "./axe.ts";
import { box, bubbles, chat, lastTick, nameOf, open, password, say, screenshots, tab, town } from "./browser.ts";

describe("how the chat page looks, reads and is worked", function () {
  this.timeout(60_000);
  const here = town();

  for (const [device, viewport] of [
    ["desk", { width: 1_100, height: 720 }],
    ["phone", { width: 375, height: 720 }],
  ] as const) {
    it(`has no fault that keeps people out, and fits, in the light and in the dark on a ${device}`, async () => {
      const look = async (page: Page, name: string): Promise<void> => {
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await page.screenshot({ path: join(screenshots, `${name}-${device}-${colorScheme}.png`) });
        }
        // Of colours a phone has no others than a desk; and the dark has nothing else of its own.
        if (device === "desk") await expectNoFault(page, `${name} in the dark`, ["color-contrast"]);
        await page.emulateMedia({ colorScheme: "light" });
        await expectNoFault(page, name);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow, `${name} is too wide`).to.be.at.most(0);
      };
      const ann = await here.arrive({ viewport });
      await look(ann, "sign-in");
      await ann.getByRole("button", { name: "Make an account" }).click();
      await ann.getByRole("button", { name: "Make the account" }).click();
      await ann.getByText("must have 8").waitFor();
      await look(ann, "sign-up");
      const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
      await ann.getByLabel("Username").fill(annName);
      await ann.getByLabel("Password").fill(password);
      await ann.getByRole("button", { name: "Make the account" }).click();
      await ann.getByText("No chats yet").waitFor();
      await look(ann, "nothing-yet");
      const bea = await here.settle(beaName, { viewport });
      await talk(ann, bea, annName, beaName);
      await look(ann, "conversation");
      if (device === "phone") await ann.getByRole("link", { name: "Back to the chats" }).click();
      await look(ann, "chats");
      await ann.getByRole("button", { name: "Connected" }).click();
      await look(ann, "connection");
      await ann.getByRole("button", { name: "Connected" }).click();
      for (const name of ["People", "Groups"] as const) {
        await tab(ann, name).click();
        await ann.getByText("Loading…").waitFor({ state: "detached" });
        await look(ann, name.toLowerCase());
      }
      await ann.getByRole("button", { name: "New group" }).click();
      await ann.getByRole("checkbox", { name: beaName }).waitFor();
      await look(ann, "new-group");
      await ann.getByLabel("Name").fill(nameOf("walkers"));
      await ann.getByRole("button", { name: "Create" }).click();
      await ann.getByRole("button", { name: "About this group" }).click();
      await ann.getByRole("list", { name: "Members" }).waitFor();
      await look(ann, "group");
      await ann.keyboard.press("Escape");
      if (device === "phone") await ann.getByRole("link", { name: "Back to the chats" }).click();
      await ann.getByRole("button", { name: "Account" }).click();
      await ann.getByRole("dialog").waitFor();
      await look(ann, "profile");
    });
  }

  async function talk(ann: Page, bea: Page, annName: string, beaName: string): Promise<void> {
    await open(ann, beaName);
    await say(ann, "Good morning!");
    await chat(bea, annName).click();
    await say(bea, "Good morning. Shall we walk along the river this afternoon, if the weather holds?");
    await bubbles(ann).getByText("Good morning. Shall").waitFor();
    await say(ann, "With pleasure 🌤️");
    await say(ann, "Three o'clock at the bridge?");
    await lastTick(ann, "Seen").waitFor();
    // Typing is told once in two seconds, and what was sent just now was typed too.
    const told = ann.getByText(`${beaName} is typing…`);
    while ((await told.count()) === 0) await box(bea).pressSequentially("Fine! ", { delay: 20 });
  }

  it("takes whatever is written for text, and keeps it in its place", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    const hostile = [
      `<img src=x onerror="document.title='pwned'"><script>document.title="pwned"</script>`,
      "[a link](javascript:alert(1)) & <b>bold</b> &amp; http://example.org",
      "\u202Egnp.exe\u2066 turned",
      "👩‍👩‍👧‍👦🏳️‍🌈👍🏿é",
      "x".repeat(4_000),
      "مرحبا بالعالم",
    ];
    await open(ann, beaName);
    for (const text of hostile) await say(ann, text);
    await bubbles(ann)
      .nth(hostile.length - 1)
      .waitFor();
    await chat(bea, annName).click();
    await bubbles(bea)
      .nth(hostile.length - 1)
      .waitFor({ state: "attached" });
    expect(await bubbles(bea).evaluateAll((all) => all.map((text) => text.textContent))).to.deep.equal(hostile);
    expect(await bea.locator(".messages img, .messages a, .messages b").count()).to.equal(0);
    expect(await bea.title()).to.not.include("pwned");
    expect(await bea.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).to.equal(true);
    const directions = await bubbles(bea).evaluateAll((all) => all.map((text) => getComputedStyle(text).direction));
    expect(directions.at(-1)).to.equal("rtl");
    expect(
      await bubbles(bea).evaluateAll((all) => all.every((text) => getComputedStyle(text).unicodeBidi === "isolate")),
    ).to.equal(true);
    // Too much is not cut off but said, and not sent.
    await box(ann).fill("y".repeat(4_003));
    await ann.getByText("3 too many").waitFor();
    await box(ann).press("Enter");
    expect(await ann.getByRole("button", { name: "Send" }).isDisabled()).to.equal(true);
    expect(await box(ann).inputValue()).to.have.length(4_003);
    const clocks = await bea.locator(".message .meta time").allInnerTexts();
    expect(clocks.every((clock) => /^\d{1,2}:\d\d/.test(clock))).to.equal(true);
  });

  it("is worked by keyboard alone", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    await here.settle(beaName);
    const ann = await here.arrive();
    await tabTo(ann, "button", /Make an account/);
    await ann.keyboard.press("Enter");
    await tabTo(ann, "textbox", /Username/);
    await ann.keyboard.type(annName);
    await ann.keyboard.press("Tab");
    await ann.keyboard.type(password);
    await ann.keyboard.press("Enter");
    await ann.getByText("No chats yet").waitFor();
    await tabTo(ann, "button", /^People/);
    await ann.keyboard.press("Enter");
    await tabTo(ann, "searchbox", /Search people/);
    await ann.keyboard.type(beaName);
    await ann.getByRole("list", { name: "People" }).getByRole("link").nth(1).waitFor({ state: "detached" });
    await tabTo(ann, "link", new RegExp(beaName));
    await ann.keyboard.press("Enter");
    // The box to write in has the focus: one writes at once.
    await ann.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA");
    await ann.keyboard.type("by key");
    await ann.keyboard.press("Shift+Enter");
    await ann.keyboard.type("alone");
    await ann.keyboard.press("Enter");
    await bubbles(ann).getByText("by key alone").waitFor();
    await lastTick(ann, "Stored").waitFor();
    await tabTo(ann, "button", /Account/);
    await ann.keyboard.press("Enter");
    await ann.getByRole("dialog").waitFor();
    await ann.keyboard.press("Escape");
    await ann.getByRole("dialog").waitFor({ state: "detached" });
    expect(await ann.evaluate(() => document.activeElement?.className)).to.equal("me");
  });

  /** As often as it takes, and once around the page at most. */
  async function tabTo(page: Page, role: "button" | "textbox" | "searchbox" | "link", name: RegExp): Promise<void> {
    const wanted = page.getByRole(role, { name });
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      if (await wanted.evaluateAll((all) => all.includes(document.activeElement as never))) return;
    }
    throw new Error(`no ${role} called ${name} is reached by Tab`);
  }

  it("tells new messages politely, the text where one is and the place where one is not", async () => {
    const [annName, beaName] = [nameOf("ann"), nameOf("bea")];
    const [ann, bea] = await Promise.all([here.settle(annName), here.settle(beaName)]);
    await open(ann, beaName);
    await say(ann, "knock knock");
    const told = bea.locator("p[aria-live=polite]");
    await chat(bea, annName).waitFor();
    await chat(bea, annName).click();
    await say(ann, "who is there?");
    await told.getByText(`${annName}: who is there?`).waitFor({ state: "attached" });
    await bea.goto(`${here.world.url}/#/`);
    await say(ann, "hello?");
    await told.getByText(`New message in ${annName}`).waitFor({ state: "attached" });
  });
});
