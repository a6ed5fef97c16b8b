import { expect } from "chai";
import type { Entry, Message, RoomInList } from "../../src/client/index.ts";
import { applyEntry, applyMessage, needsSnapshot } from "../../src/web/state/apply.ts";
import { dayName, isSameDay } from "../../src/web/state/days.ts";
import { outgoingTo, seenBy, sortedRooms, unseenTotal } from "../../src/web/state/select.ts";
import { expectHistory, expectNothing, putDetails, putHistory, putRooms } from "../../src/web/state/snapshots.ts";
import { emptyState, type State } from "../../src/web/state/state.ts";

const ann = { id: 1, username: "ann" };
const bea = { id: 2, username: "bea" };
const cid = { id: 3, username: "cid" };
const ROOM = 7;
const AT = "2026-11-20T12:00:00.000Z";

const offset = (position: number): string => `e_${String(position).padStart(16, "0")}`;

const message = (seq: number, sender = bea, more: Partial<Message> = {}): Message => ({
  id: `01990000-0000-7000-8000-${String(seq).padStart(12, "0")}`,
  room_id: ROOM,
  seq,
  sender,
  text: `message ${seq}`,
  accepted_at: AT,
  created_at: AT,
  edited_at: null,
  deleted_at: null,
  seen_by_count: 0,
  ...more,
});

const entry = (position: number, type: Entry["type"], data: unknown, actor = bea): Entry =>
  ({ offset: offset(position), type, room_id: ROOM, actor_id: actor.id, at: AT, data }) as Entry;
const created = (position: number, what: Message): Entry => entry(position, "message.created", what);
const seen = (position: number, userId: number, upTo: number): Entry =>
  entry(position, "messages.seen", { user_id: userId, up_to_seq: upTo });

const room = (more: Partial<RoomInList> = {}): RoomInList => ({
  id: ROOM,
  kind: "group",
  name: "family",
  is_public: true,
  created_at: AT,
  last_message: null,
  unseen_count: 0,
  read_seq: 0,
  last_seq: 0,
  members: [ann, bea, cid],
  ...more,
});

/** Ann's, at position 10. */
const start = (more: Partial<RoomInList> = {}): State =>
  putRooms({ ...emptyState(ann.id), offset: offset(10) }, [room(more)], offset(10));
const play = (state: State, ...entries: Entry[]): State => entries.reduce(applyEntry, state);
const withHistory = (state: State, ...messages: Message[]): State =>
  putHistory(state, ROOM, { messages: messages.toReversed(), next: null, prev: null });
const inRoom = (state: State) => state.rooms.get(ROOM)!;
const seqs = (state: State): number[] => inRoom(state).history!.messages.map(({ seq }) => seq);

describe("the page's state", () => {
  it("is changed by an entry once, however often it comes", () => {
    const once = play(start(), created(11, message(1)));
    const twice = play(once, created(11, message(1)));
    expect(inRoom(once).unseenCount).to.equal(1);
    expect(inRoom(twice)).to.equal(inRoom(once));
  });

  it("passes over what its snapshot of a room holds already", () => {
    const late = putRooms(start(), [room({ unseen_count: 2, last_seq: 2 })], offset(20));
    const state = play(late, created(15, message(1)), created(19, message(2)), created(21, message(3)));
    expect(inRoom(state)).to.include({ unseenCount: 3, lastSeq: 3 });
    expect(state.offset).to.equal(offset(21));
  });

  it("counts what others say and not what I say, until I have seen it", () => {
    const said = play(start(), created(11, message(1)), created(12, message(2, ann)), created(13, message(3)));
    expect(unseenTotal(said)).to.equal(2);
    const partly = play(withHistory(said, message(1), message(2, ann), message(3)), seen(14, ann.id, 1));
    expect(unseenTotal(partly)).to.equal(1);
    expect(unseenTotal(play(partly, seen(15, ann.id, 3)))).to.equal(0);
    expect(unseenTotal(play(partly, seen(15, bea.id, 3)))).to.equal(1);
  });

  it("takes a new count over only if it was made of the same messages", () => {
    const state = play(start({ unseen_count: 5, last_seq: 5 }), created(11, message(6)));
    const details = { ...room({ unseen_count: 1, last_seq: 5 }), members: [] };
    expect(unseenTotal(putDetails(state, details))).to.equal(6);
    expect(unseenTotal(putDetails(state, { ...details, last_seq: 6 }))).to.equal(1);
  });

  it("merges pages and entries in the order of the ids, each message once", () => {
    const live = withHistory(start(), message(5), message(6));
    const state = play(live, created(11, message(8)), created(12, message(7)));
    expect(seqs(state)).to.deep.equal([5, 6, 7, 8]);
    expect(seqs(withHistory(state, message(3), message(4), message(5)))).to.deep.equal([3, 4, 5, 6, 7, 8]);
  });

  it("does not let an older page undo what the feed has told", () => {
    const state = play(withHistory(start(), message(1)), entry(11, "message.edited", message(1, bea, { text: "new" })));
    expect(inRoom(withHistory(state, message(1))).history!.messages[0]!.text).to.equal("new");
  });

  it("keeps what the feed tells while a page is on its way, and nothing that would leave a gap", () => {
    const asked = expectHistory(start(), ROOM, {});
    const gone = { text: "", deleted_at: AT };
    const told = [
      created(11, message(8)),
      created(12, message(9)),
      entry(13, "message.deleted", message(6, bea, gone)),
    ];
    const state = play(asked, ...told, entry(14, "message.edited", message(2, bea, { text: "new" })));
    const page = { messages: [message(7), message(6), message(5)], next: "5", prev: null };
    const read = putHistory(state, ROOM, page);
    expect(seqs(read)).to.deep.equal([5, 6, 7, 8, 9]);
    expect(inRoom(read).history).to.deep.include({ older: "5" });
    expect(inRoom(read).history!.messages[1]).to.include(gone);
    // In the same way with a page further back.
    const older = play(
      expectHistory(expectNothing(read, ROOM), ROOM, {}),
      entry(15, "message.edited", message(3, bea, { text: "newer" })),
    );
    const whole = withHistory(older, ...[1, 2, 3, 4].map((seq) => message(seq)));
    expect(seqs(whole)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(inRoom(whole).history!.messages[2]!.text).to.equal("newer");
  });

  it("drops what I sent from the outbox when the feed or the send itself tells of it, whichever is first", () => {
    const outgoing = { key: "k1", target: { room: ROOM }, text: "hi", at: AT, state: "accepted" } as const;
    const waiting: State = { ...withHistory(start()), outbox: [outgoing] };
    const mine = message(1, ann, { client_key: "k1" });
    const fed = play(waiting, created(11, mine));
    const answered = applyMessage(waiting, mine);
    for (const state of [fed, answered, applyMessage(fed, mine), play(answered, created(11, mine))]) {
      expect(state.outbox).to.deep.equal([]);
      expect(seqs(state)).to.deep.equal([1]);
    }
  });

  it("an answer that overtakes the feed does not hide what others said before it", () => {
    const early = applyMessage(withHistory(start()), message(2, ann, { client_key: "k" }));
    const state = play(early, created(11, message(1)), created(12, message(2, ann)));
    expect(unseenTotal(state)).to.equal(1);
    expect(inRoom(state).lastMessage!.seq).to.equal(2);
  });

  it("knows how many have seen a message, of those who were there when it was sent", () => {
    const before = "2026-11-19T12:00:00.000Z";
    const after = "2026-11-21T12:00:00.000Z";
    const member = { role: "member", read_seq: 0, joined_at: before } as const;
    const members = [
      { ...ann, ...member },
      { ...bea, ...member },
      { ...cid, ...member, joined_at: after },
    ];
    const state = putDetails(start(), { ...room(), members });
    const mine = message(1, ann);
    const seenByAll = play(state, seen(11, bea.id, 1), seen(12, cid.id, 1));
    expect(seenBy(inRoom(state), mine)).to.equal(0);
    expect(seenBy(inRoom(seenByAll), mine)).to.equal(1);
    expect(seenBy(inRoom(state), { ...mine, seen_by_count: 2 })).to.equal(2);
  });

  it("makes, changes and drops rooms and members", () => {
    const data = { id: 8, kind: "direct", name: null, is_public: false, members: [ann, bea] };
    const made = play(start(), { ...entry(11, "room.created", data), room_id: 8 } as Entry);
    expect(
      sortedRooms(made)
        .map(({ id }) => id)
        .sort(),
    ).to.deep.equal([7, 8]);
    const outbox = [{ key: "k", target: { to: bea.id }, text: "hi", at: AT, state: "sending" }] as const;
    expect(outgoingTo({ ...made, outbox }, { room: 8 })).to.have.length(1);
    const owned = play(made, entry(12, "room.updated", { name: "kin", owner_id: cid.id }));
    expect(inRoom(owned).name).to.equal("kin");
    expect(inRoom(owned).members.find(({ id }) => id === cid.id)!.role).to.equal("owner");
    const dan = { user_id: 4, username: "dan", role: "member", room: {} };
    const changed = play(owned, entry(13, "member.joined", dan), entry(14, "member.left", { user_id: bea.id }));
    expect(inRoom(changed).members.map(({ username }) => username)).to.deep.equal(["ann", "cid", "dan"]);
    expect(play(changed, entry(15, "member.left", { user_id: ann.id })).rooms.has(ROOM)).to.equal(false);
    expect(play(changed, entry(15, "room.deleted", {})).rooms.has(ROOM)).to.equal(false);
  });

  it("asks for a snapshot of a room that it has joined and knows nothing of", () => {
    const joined = entry(11, "member.joined", { user_id: ann.id, username: "ann", role: "member", room: {} });
    expect(needsSnapshot(emptyState(ann.id), joined)).to.equal(true);
    expect(needsSnapshot(start(), joined)).to.equal(false);
    expect(needsSnapshot(emptyState(ann.id), entry(11, "member.left", { user_id: ann.id }))).to.equal(false);
  });

  it("passes over a type that it does not know", () => {
    const state = play(start(), entry(11, "room.painted" as Entry["type"], {}));
    expect(inRoom(state)).to.deep.equal(inRoom(start()));
    expect(state.offset).to.equal(offset(11));
  });

  it("names the days, and knows them by the clock of whoever looks", () => {
    const now = new Date(2026, 10, 20, 0, 5);
    const at = (...parts: [number, number, number, number, number]): string => new Date(...parts).toISOString();
    expect(dayName(at(2026, 10, 20, 0, 1), now)).to.equal("Today");
    expect(dayName(at(2026, 10, 19, 23, 59), now)).to.equal("Yesterday");
    expect(dayName(at(2026, 10, 18, 12, 0), now))
      .to.match(/18/)
      .and.not.match(/2026/);
    expect(dayName(at(2024, 10, 18, 12, 0), now)).to.match(/2024/);
    expect(isSameDay(at(2026, 10, 19, 0, 0), at(2026, 10, 19, 23, 59))).to.equal(true);
    expect(isSameDay(at(2026, 10, 19, 23, 59), at(2026, 10, 20, 0, 0))).to.equal(false);
  });
});
