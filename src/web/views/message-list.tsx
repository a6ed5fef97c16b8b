import { Fragment } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { loading, loadOlder } from "../live/history.ts";
import { noteLookedAt } from "../live/seen.ts";
import { state } from "../live/store.ts";
import { dayName, isSameDay } from "../state/days.ts";
import { outgoingTo, seenBy } from "../state/select.ts";
import type { History, RoomState } from "../state/state.ts";
import { Icon } from "./icons.tsx";
import { MessageRow } from "./message.tsx";
import { OutgoingList } from "./outgoing.tsx";
import { ScrollKeeper } from "./scroll-keeper.ts";
import { watchSeen } from "./watch-seen.ts";

/** Pauses longer than this begin anew. */
const SAME_BREATH_MS = 5 * 60_000;

export function MessageList({ room, history }: { room: RoomState; history: History }) {
  const box = useRef<HTMLDivElement>(null);
  // Where one had stopped to read when this was opened: that line does not move while one reads on.
  const [readUpTo] = useState(room.unseenCount > 0 ? room.readSeq : undefined);
  const { isAtEnd, toEnd } = useScroll(box, room, history);
  useEffect(() => watchSeen(box.current!, (seq) => noteLookedAt(room.id, seq)), [room.id]);
  const what = loading.value.get(room.id);
  const { messages } = history;
  const firstUnseen = messages.find((one) => isUnseenAfter(readUpTo, one, state.value.meId));
  return (
    <div class="messages-place">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must scroll by keyboard too */}
      <section class="messages" ref={box} tabIndex={0} aria-label="Messages">
        <Top room={room} isLoading={what === "loading"} problem={what === "loading" ? undefined : what?.detail} />
        <ol class="thread">
          {messages.map((message, i) => (
            <Fragment key={message.client_key ?? message.id}>
              <Separators message={message} before={messages[i - 1]} isFirstUnseen={message === firstUnseen} />
              <Row room={room} message={message} before={messages[i - 1]} />
            </Fragment>
          ))}
        </ol>
        <OutgoingList target={{ room: room.id }} />
      </section>
      {!isAtEnd && (
        <button type="button" class="to-end" onClick={toEnd}>
          <Icon name="down" />
          {room.unseenCount > 0 ? `${room.unseenCount} new` : "Latest"}
        </button>
      )}
    </div>
  );
}

function useScroll(box: { readonly current: HTMLDivElement | null }, room: RoomState, history: History) {
  const [keeper] = useState(() => new ScrollKeeper());
  const [isAtEnd, setAtEnd] = useState(true);
  const outgoing = outgoingTo(state.value, { room: room.id }).length;
  const before = useRef(outgoing);
  useLayoutEffect(() => {
    const onTop = (): void => void loadOlder(room.id);
    return keeper.attach(box.current!, { onTop, onEnd: setAtEnd });
  }, [room.id]);
  // Whenever there is more, or less, in it.
  useLayoutEffect(() => keeper.restore(), [history.messages, history.older]);
  // Who sends something wants to see it.
  useLayoutEffect(() => {
    if (outgoing > before.current) keeper.toEnd();
    before.current = outgoing;
  }, [outgoing]);
  return { isAtEnd, toEnd: () => keeper.toEnd() };
}

function Top({ room, isLoading, problem }: { room: RoomState; isLoading: boolean; problem: string | undefined }) {
  if (problem) {
    return (
      <div class="top" role="alert">
        {problem}{" "}
        <button type="button" class="link" onClick={() => void loadOlder(room.id)}>
          Try again
        </button>
      </div>
    );
  }
  if (room.history?.older) return <div class="top">{isLoading ? "Loading…" : ""}</div>;
  const isEmpty = room.history?.messages.length === 0;
  return (
    <div class="top">
      {isEmpty ? "Nothing was said here yet. The first word is yours." : "This is where it begins."}
    </div>
  );
}

interface Between {
  readonly message: Message;
  readonly before: Message | undefined;
}

const isUnseenAfter = (readUpTo: number | undefined, { seq, sender }: Message, meId: number): boolean =>
  readUpTo !== undefined && seq > readUpTo && sender.id !== meId;

function Separators({ message, before, isFirstUnseen }: Between & { isFirstUnseen: boolean }) {
  const isNewDay = !before || !isSameDay(before.created_at, message.created_at);
  return (
    <>
      {isNewDay && (
        <li class="day">
          <time dateTime={message.created_at.slice(0, 10)}>{dayName(message.created_at)}</time>
        </li>
      )}
      {isFirstUnseen && (
        <li class="new-from-here">
          <span>New</span>
        </li>
      )}
    </>
  );
}

function Row({ room, message, before }: Between & { room: RoomState }) {
  const isMine = message.sender.id === state.value.meId;
  const seen = isMine ? seenBy(room, message) : 0;
  return (
    <MessageRow
      message={message}
      isMine={isMine}
      isFirst={!isOfOneBreath(message, before)}
      showsSender={room.kind === "group"}
      tick={isMine ? (seen > 0 ? "seen" : "stored") : undefined}
      seenBy={seen > 0 && room.kind === "group" ? `${seen} of ${room.members.length - 1}` : undefined}
    />
  );
}

const isOfOneBreath = (message: Message, before: Message | undefined): boolean =>
  before !== undefined &&
  before.sender.id === message.sender.id &&
  isSameDay(before.created_at, message.created_at) &&
  Date.parse(message.created_at) - Date.parse(before.created_at) < SAME_BREATH_MS;
