import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { ParleyClient } from "../../src/client/index.ts";
import { buildPage } from "../../src/web/build/build.ts";
import { isBuilt } from "../../src/web/build/sources.ts";
import { services } from "../services.ts";
import { buildWorld, type World } from "../world.ts";

export const password = "a quiet harbour";
export const screenshots = fileURLToPath(new URL("./screenshots/", import.meta.url));

/** Longer than anything takes on a busy machine; what waits for this long fails. */
const PATIENCE_MS = 15_000;

/** A browser's own words for an answer that is not a good one; the page says what it means. */
const isToldByThePage = (text: string): boolean => /Failed to load resource|WebSocket connection to/.test(text);

type Visit = BrowserContextOptions & { readonly url?: string };

interface Town {
  readonly world: World;
  /** A person with a browser of their own, before they have signed in. */
  arrive(options?: Visit): Promise<Page>;
  /** Somebody who has made an account and looks at their empty list of chats. */
  settle(name: string, options?: Visit): Promise<Page>;
}

/** A system and a browser for a file of tests; a fault that a page reports to its console fails the test. */
export function town(env: Record<string, string> = {}): Town {
  let world: World | undefined;
  let browser: Browser | undefined;
  const faults: string[] = [];
  before(async function () {
    this.timeout(60_000);
    const executablePath = services().chromium;
    if (executablePath === undefined) return this.skip();
    if (!(await isBuilt())) await buildPage();
    await mkdir(screenshots, { recursive: true });
    world = await buildWorld({ env: { AUTH_MODE: "token", ...env } });
    // As root Chromium runs without its sandbox or not at all; playwright-core leaves it out unless it is asked for.
    browser = await chromium.launch({ executablePath });
  });
  afterEach(async () => {
    for (const context of browser?.contexts() ?? []) await context.close();
    expect(faults.splice(0)).to.deep.equal([]);
  });
  after(async () => {
    await browser?.close();
    await world?.close();
  });
  const arrive = async ({
    url = world!.url,
    session,
    ...options
  }: Visit & { session?: string } = {}): Promise<Page> => {
    const context = await browser!.newContext({ viewport: { width: 1_100, height: 720 }, ...options });
    if (session) await context.addInitScript(beSignedIn, session);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => faults.push(error.stack ?? error.message));
    page.on("console", (line) => {
      if (["error", "warning"].includes(line.type()) && !isToldByThePage(line.text())) faults.push(line.text());
    });
    await page.goto(url);
    return page;
  };
  return {
    get world() {
      return world!;
    },
    arrive,
    async settle(name, options = {}) {
      const { url = world!.url } = options;
      const client = new ParleyClient({ url });
      await client.signUp({ username: name, password });
      const page = await arrive({ ...options, session: JSON.stringify(client.session) });
      await page.getByText("No chats yet").waitFor();
      return page;
    },
  };
}

/** As people do it. */
export async function signUp(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "Make an account" }).click();
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.getByText("No chats yet").waitFor();
}

/** Once, before the page's own script; whoever signs out is out. */
function beSignedIn(session: string): void {
  if (localStorage.getItem("test.begun")) return;
  localStorage.setItem("test.begun", "yes");
  localStorage.setItem("parley.session", session);
}

export async function signIn(page: Page, name: string): Promise<void> {
  await page.getByLabel("Username or e-mail").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Lists" }).waitFor();
}

export const tab = (page: Page, name: "Chats" | "People" | "Groups"): Locator =>
  page.getByRole("navigation", { name: "Lists" }).getByRole("button", { name: new RegExp(`^${name}`) });

/** Finds somebody by a part of their name, and opens the conversation with them. */
export async function open(page: Page, name: string): Promise<void> {
  await tab(page, "People").click();
  await page.getByLabel("Search people").fill(name);
  await page.getByRole("list", { name: "People" }).getByRole("link", { name }).click();
  await box(page).waitFor();
  // On a phone the conversation covers the lists.
  if (await tab(page, "Chats").isVisible()) await tab(page, "Chats").click();
}

export const box = (page: Page): Locator => page.getByRole("textbox", { name: "Message" });

export async function say(page: Page, text: string): Promise<void> {
  await box(page).fill(text);
  await box(page).press("Enter");
}

export const bubbles = (page: Page): Locator => page.locator(".message .text");
export const chat = (page: Page, name: string): Locator =>
  page.getByRole("list", { name: "Chats" }).getByRole("link", { name });

/** What is said of the last message of one's own. */
export const lastTick = (page: Page, words: string): Locator =>
  page.locator(".message.mine").last().getByRole("img", { name: words });

/** Who is signed in here, as the page has kept it. */
export const sessionOf = (page: Page): Promise<{ accessToken: string; user: { id: number } }> =>
  page.evaluate(() => JSON.parse(localStorage.getItem("parley.session")!));

let made = 1_000;
/** A name that nobody else in this system has, and that is no part of another. */
export const nameOf = (who: string): string => `${who}_${++made}`;

/** Looks again at every change until it is so; a test that waits for ever is ended by mocha. */
export const untilTitle = (page: Page, title: string): Promise<unknown> =>
  page.waitForFunction((wanted) => document.title === wanted, title);

export const untilCount = (locator: Locator, count: number): Promise<void> =>
  locator.nth(count - 1).waitFor({ state: "attached" });
