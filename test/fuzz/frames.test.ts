import { randomInt } from "node:crypto";
import { expect } from "chai";
import fc from "fast-check";
import { z } from "zod";
import { clientFrames } from "../../src/api/ws/frames.ts";
import { isErrorCode } from "../../src/shared/errors.ts";
import { buildRoom, buildUsers, get, type Person, say, toRoom } from "../calls.ts";
import { services } from "../services.ts";
import { openSocket, type Socket } from "../sockets.ts";
import { buildWorld, type World } from "../world.ts";
import { hostile, type Json, Values } from "./values.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? randomInt(2 ** 31));
const serverEvents = ["accepted", "error", "event", "pong", "presence", "subscribed", "typing"];

describe("the socket's surface", () => {
  let world: World;
  let ann: Person;
  let socket: Socket;
  let values: Values;

  before(async () => {
    world = await buildWorld();
    const [one, ben] = (await buildUsers(world, 2)) as [Person, Person];
    ann = one;
    const room = await buildRoom(world, [ann, ben]);
    const messages = await Promise.all(["one", "two"].map((text) => say(world, ben, toRoom(room), text)));
    const named = { room_id: [room.id], to: [ben.id], message_id: [messages[0]!.id], offset: ["now", "-1"] };
    const known = { numbers: [room.id, ann.id, ben.id, 1, 2, 100], uuids: messages.map(({ id }) => id), named };
    values = new Values({}, () => known);
    socket = await openSocket(world, { "x-user-id": String(ann.id) });
  });
  after(() => {
    socket?.ws.terminate();
    return world?.close();
  });

  const frames = () => {
    const events = Object.entries(clientFrames).map(([event, type]) => {
      const schema = z.toJSONSchema(type, { io: "input" }) as Json;
      return fc.record(
        { event: fc.constant(event), data: values.any(schema), ref: refs },
        { requiredKeys: ["event", "data"] },
      );
    });
    const odd = fc.record({
      event: fc.oneof(fc.constantFrom("__proto__", "constructor", "toString", "event"), hostile),
      data: hostile,
      ref: hostile,
    });
    const more = fc.tuple(fc.oneof(...events), hostile).map(([frame, extra]) => ({ ...frame, extra }));
    const text = fc.oneof(
      { weight: 12, arbitrary: fc.oneof(...events) },
      { weight: 2, arbitrary: odd },
      { weight: 1, arbitrary: more },
      { weight: 2, arbitrary: hostile },
    );
    return fc.oneof(
      { weight: 20, arbitrary: text.map((value) => JSON.stringify(value) ?? "") },
      {
        weight: 2,
        arbitrary: fc.tuple(text, fc.nat()).map(([value, n]) => (JSON.stringify(value) ?? "").slice(0, n % 60)),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          "",
          "{",
          "[".repeat(20_000),
          "\u0000",
          "x".repeat(70_000),
          `{"event":"ping","ref":"${"r".repeat(300)}"}`,
        ),
      },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)) },
    );
  };
  const refs = fc.oneof(fc.string({ maxLength: 20 }), fc.integer());

  it(`a frame gets an answer of ours, or none, and the socket stays open (FUZZ_SEED=${seed})`, async function () {
    const numRuns = services().slow ? 5_000 : 500;
    this.timeout(services().slow ? 300_000 : 60_000);
    const property = fc.asyncProperty(frames(), async (frame) => {
      const before = socket.got.length;
      socket.ws.send(frame);
      const pong = await socket.ask("ping", null);
      expect(pong.event).to.equal("pong");
      for (const { event, data } of socket.got.slice(before)) {
        expect(event).to.be.oneOf(serverEvents);
        if (event !== "error") continue;
        expect(isErrorCode(data.code), JSON.stringify(data)).to.equal(true);
        expect(data.status, JSON.stringify(data)).to.be.within(400, 499);
      }
      expect(socket.ws.readyState).to.equal(socket.ws.OPEN);
    });
    await fc.assert(property, { seed, numRuns });
    expect((await get(world, "/readyz")).status).to.equal(200);
  });
});
