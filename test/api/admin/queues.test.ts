import { expect } from "chai";
import { announceUser } from "../../../src/api/users/users-cache.ts";
import { rows } from "../../../src/shared/db/database.ts";
import { SEND_GROUP } from "../../../src/shared/jobs/groups.ts";
import { buildUsers, type CallOptions, call, expectProblem, get, type Person, post } from "../../calls.ts";
import { hasRedis } from "../../services.ts";
import { until } from "../../until.ts";
import { backends, buildWorld, type World } from "../../world.ts";

const PATH = "/admin/queues";
const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes

for (const backend of backends) {
  describe(`the queue's page with the queue on ${backend}`, () => {
    let world: World;
    /** On the same database, and believes tokens only. */
    let strict: { url: string };
    let root: Person;
    let ann: Person;
    let failed: string;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend });
      strict = await world.startApi({ AUTH_MODE: "token", AUTH_SECRET: "s".repeat(40), RATE_LIMITS: "off" });
      [root, ann] = (await buildUsers(world, 2)) as [Person, Person];
      await setAdmin(root, true);
      failed = world.deps.newId();
      const data = {
        senderId: ann.id,
        roomId: 999_999,
        text: "between us",
        clientKey: null,
        acceptedAt: new Date().toISOString(),
      };
      await world.deps.backend.queues[0]!.add("message.send", data, { jobId: failed });
      while ((await state()) !== "failed");
    });
    after(() => world?.close());

    const state = () => world.deps.backend.queues[0]!.getJobState(failed);
    async function setAdmin({ id }: Person, is: boolean): Promise<void> {
      await rows(world.deps.em, "update users set is_admin = $2 where id = $1", [id, is]);
      await announceUser(world.deps.em, id);
      const isHeard = async () => (await world.deps.directory.user(id))?.isAdmin === is;
      await until(isHeard);
    }
    const bearer = async ({ username }: Person): Promise<Record<string, string>> => {
      const { body } = await post(strict, "/v1/auth/login", { username, password: PASSWORD });
      return { authorization: `Bearer ${body.access_token}` };
    };
    const ticketOf = async (person: Person): Promise<string> =>
      (await call(strict, "POST", "/v1/auth/ticket", { headers: await bearer(person) })).body.ticket;
    /** As a browser does it, but without going where it is sent. */
    const visit = (path: string, headers: Record<string, string> = {}, api = strict) =>
      fetch(api.url + path, { headers, redirect: "manual" });
    const enter = async (person: Person): Promise<Record<string, string>> => {
      const answer = await visit(`${PATH}?ticket=${await ticketOf(person)}`);
      expect(answer.status).to.equal(303);
      return { cookie: answer.headers.get("set-cookie")!.split(";")[0]! };
    };
    const jobPath = (action: string) =>
      `${PATH}/api/queues/${encodeURIComponent(world.env.QUEUE_NAME)}/${failed}/${action}`;
    const change = (action: string, headers: Record<string, string>, options: CallOptions = {}) =>
      call(strict, "PUT", jobPath(action), { headers, ...options });

    it("is for admins: nobody is 401, anybody else 403, on every path of it", async () => {
      const headers = await bearer(ann);
      for (const path of ["", "/", "/api/queues", "/static/js/main.js", "/nowhere"]) {
        expectProblem(await get(strict, PATH + path), 401, "not_signed_in");
        expectProblem(await call(strict, "GET", PATH + path, { headers }), 403, "not_allowed");
      }
      expectProblem(await change("retry", headers), 403, "not_allowed");
      expectProblem(await get(strict, `${PATH}?user_id=${root.id}`), 401, "not_signed_in");
      expectProblem(await get(strict, `${PATH}?ticket=plw_made_up`), 401, "token_invalid");
      const other = await visit(`${PATH}?ticket=${await ticketOf(ann)}`);
      expect([other.status, other.headers.get("set-cookie")]).to.deep.equal([403, null]);
      expect((await visit("/admin/nowhere", await bearer(root))).status).to.equal(404);
    });

    it("opens for a token, with files from here alone and a policy that holds", async () => {
      const headers = await bearer(root);
      const page = await visit(PATH, headers);
      expect(page.status).to.equal(200);
      expect(page.headers.get("set-cookie")).to.equal(null);
      expect(page.headers.get("cache-control")).to.equal("no-store");
      const policy = page.headers.get("content-security-policy")!;
      expect(policy).to.include("default-src 'self'; script-src 'self';").and.include("frame-ancestors 'none'");
      const html = await page.text();
      expect(html)
        .to.include(`<base href="${PATH}/" />`)
        .and.not.match(/https?:\/\//)
        .and.not.include("<%");
      const links = [...html.matchAll(/\b(?:src|href)="(static\/[^"]+)"/g)].map(([, link]) => link!);
      expect(links.length).to.be.greaterThan(3);
      for (const link of links) expect((await visit(`${PATH}/${link}`, headers)).status, link).to.equal(200);
    });

    it("shows no text of messages that travel together either", async () => {
      const sends = ["between us", "and nobody else"].map((text) => ({
        id: world.deps.newId(),
        senderId: ann.id,
        text,
      }));
      const job = await world.deps.backend.queues[0]!.add(SEND_GROUP, { sends }, { delay: 600_000 });
      const list = await call(
        strict,
        "GET",
        `${PATH}/api/queues?activeQueue=${world.env.QUEUE_NAME}&status=delayed&page=1`,
        { headers: await bearer(root) },
      );
      await job.remove();
      const shown = list.body.queues[0].jobs[0].data.sends.map(({ text }: { text: string }) => text);
      expect(shown).to.deep.equal(["(10 characters)", "(15 characters)"]);
    });

    it("shows what has failed and why, and not what was said", async () => {
      const list = await call(
        strict,
        "GET",
        `${PATH}/api/queues?activeQueue=${world.env.QUEUE_NAME}&status=failed&page=1`,
        {
          headers: await bearer(root),
        },
      );
      expect(list.status, JSON.stringify(list.body)).to.equal(200);
      const [queue] = list.body.queues;
      expect(queue).to.deep.include({ name: world.env.QUEUE_NAME, readOnlyMode: false });
      expect(queue.counts.failed).to.equal(1);
      expect(queue.jobs[0]).to.include({ id: failed, name: "message.send" });
      expect(queue.jobs[0].failedReason).to.include("room_not_found");
      expect(JSON.stringify(list.body)).to.not.include("between us");
      expect(queue.jobs[0].data.text).to.equal("(10 characters)");
      for (const path of [
        "redis/stats",
        `queues/${world.env.QUEUE_NAME}/workers`,
        `queues/${world.env.QUEUE_NAME}/${failed}`,
      ]) {
        const answer = await call(strict, "GET", `${PATH}/api/${path}`, { headers: await bearer(root) });
        expect(answer.status, path + JSON.stringify(answer.body)).to.equal(200);
      }
    });

    it("opens in a browser with a ticket, once, which becomes a cookie for this path alone", async () => {
      const ticket = await ticketOf(root);
      const answer = await visit(`${PATH}/?ticket=${ticket}`);
      expect([answer.status, answer.headers.get("location")]).to.deep.equal([303, `${PATH}/`]);
      const cookie = answer.headers.get("set-cookie")!;
      expect(cookie).to.match(/^parley_admin=pla_[\w-]{43}; /);
      for (const part of [`path=${PATH}`, "samesite=strict", "httponly"]) expect(cookie.toLowerCase()).to.include(part);
      expect((await visit(`${PATH}?ticket=${ticket}`)).status).to.equal(401);
      const headers = { cookie: cookie.split(";")[0]! };
      for (const path of ["/", "/api/queues"]) expect((await visit(PATH + path, headers)).status, path).to.equal(200);
      expectProblem(await call(strict, "GET", "/v1/me", { headers }), 401, "not_signed_in");
      expect((await visit(PATH, { cookie: "parley_admin=pla_made_up" })).status).to.equal(401);
    });

    it("ends for the browser when the session does that it was opened with, and when its owner is no admin any more", async () => {
      const session = await bearer(root);
      const { body } = await call(strict, "POST", "/v1/auth/ticket", { headers: session });
      const answer = await visit(`${PATH}?ticket=${body.ticket}`);
      const headers = { cookie: answer.headers.get("set-cookie")!.split(";")[0]! };
      expect((await visit(`${PATH}/`, headers)).status).to.equal(200);
      await call(strict, "POST", "/v1/auth/logout", { headers: session });
      while ((await visit(`${PATH}/`, headers)).status !== 401);
      const again = await enter(root);
      await setAdmin(root, false);
      while ((await visit(`${PATH}/`, again)).status !== 403);
      await setAdmin(root, true);
      while ((await visit(`${PATH}/`, again)).status !== 200);
    });

    it("takes changes from its own page and from no other", async () => {
      const headers = await enter(root);
      const origin = strict.url;
      const foreign = [
        {},
        { origin: "https://evil.example" },
        { origin: "null" },
        { origin, "sec-fetch-site": "cross-site" },
        { origin: origin.replace("127.0.0.1", "localhost") },
      ];
      for (const from of foreign) {
        expectProblem(await change("retry", { ...headers, ...from }), 403, "not_allowed");
      }
      // With a token a page of another origin can do no more, and a program, which has none, may.
      expectProblem(
        await change("retry", { ...(await bearer(root)), origin: "https://evil.example" }),
        403,
        "not_allowed",
      );
      expect(await state()).to.equal("failed");
      for (const from of [{ ...headers, origin, "sec-fetch-site": "same-origin" }, await bearer(root)]) {
        const job = (await world.deps.backend.queues[0]!.getJob(failed))!;
        const retried = await change("retry", from);
        expect(retried.status, JSON.stringify(retried.body)).to.be.within(200, 204);
        const startedAgain = async () =>
          (await world.deps.backend.queues[0]!.getJob(failed))!.attemptsStarted > job.attemptsStarted;
        while (!((await startedAgain()) && (await state()) === "failed"));
      }
    });

    it("retries and promotes; it removes, edits, adds and pauses nothing", async () => {
      const headers = { ...(await bearer(root)) };
      const queue = `${PATH}/api/queues/${world.env.QUEUE_NAME}`;
      const refused: [string, string][] = [
        ["PUT", `${queue}/empty`],
        ["PUT", `${queue}/obliterate`],
        ["PUT", `${queue}/pause`],
        ["PUT", `${PATH}/api/queues/pause`],
        ["PUT", `${queue}/clean/failed`],
        ["PUT", `${queue}/${failed}/clean`],
        ["POST", `${queue}/add`],
        ["PATCH", `${queue}/${failed}/update-data`],
        ["PATCH", `${queue}/${failed}/delay`],
        ["DELETE", `${queue}/${failed}`],
        ["GET", `${PATH}/static/../../../package.json`],
        ["GET", `${PATH}/static/%2e%2e/%2e%2e/package.json`],
        ["GET", `${PATH}/index.ejs`],
      ];
      for (const [method, path] of refused) {
        const answer = await call(strict, method, path, { headers, ...(method !== "GET" && { body: {} }) });
        expectProblem(answer, 404, "route_not_found");
      }
      expect(await state()).to.equal("failed");
      // What was not done leaves no line.
      const lines = async () => (await call(strict, "GET", "/v1/admin/actions", { headers })).body.actions.length;
      const before = await lines();
      expect((await call(strict, "PUT", `${queue}/${world.deps.newId()}/retry`, { headers })).status).to.equal(404);
      expect(await lines()).to.equal(before);
    });

    it("opens in demo mode for an admin, whoever says to be one", async () => {
      const answer = await visit(`${PATH}?user_id=${root.id}`, {}, world);
      expect([answer.status, answer.headers.get("location")]).to.deep.equal([303, `${PATH}/`]);
      const headers = { cookie: answer.headers.get("set-cookie")!.split(";")[0]! };
      expect((await visit(`${PATH}/api/queues`, headers, world)).status).to.equal(200);
      expect((await visit(`${PATH}?user_id=${ann.id}`, {}, world)).status).to.equal(403);
    });
  });
}
