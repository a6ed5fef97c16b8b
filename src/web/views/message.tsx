import type { Message } from "../../client/index.ts";
import { clockTime } from "../state/days.ts";
import { Icon, type IconName } from "./icons.tsx";
import { memo } from "./memo.ts";

/** Where a message of mine is on its way, in a sign and in words. */
type Tick = "sending" | "sent" | "stored" | "seen" | "failed";

const ticks: Readonly<Record<Tick, { icon: IconName; words: string }>> = {
  sending: { icon: "clock", words: "Sending" },
  sent: { icon: "sent", words: "Sent" },
  stored: { icon: "stored", words: "Stored" },
  seen: { icon: "seen", words: "Seen" },
  failed: { icon: "failed", words: "Not sent" },
};

export function TickMark({ tick, seenBy }: { tick: Tick; seenBy?: string | undefined }) {
  const { icon, words } = ticks[tick];
  const label = seenBy ? `${words} by ${seenBy}` : words;
  return (
    <span class={`tick ${tick}`} role="img" aria-label={label} title={label}>
      <Icon name={icon} />
    </span>
  );
}

interface Props {
  readonly message: Message;
  readonly isMine: boolean;
  /** The first of several by the same sender. */
  readonly isFirst: boolean;
  /** Groups name their senders. */
  readonly showsSender: boolean;
  readonly tick: Tick | undefined;
  readonly seenBy: string | undefined;
}

export const MessageRow = memo(({ message, isMine, isFirst, showsSender, tick, seenBy }: Props) => (
  <li class={bubbleClass(isMine, isFirst)} data-id={message.id} data-seq={message.seq}>
    <div class="bubble">
      {isFirst && (
        <bdi class={showsSender && !isMine ? `sender hue-${message.sender.id % 8}` : "unseen-text"}>
          {isMine ? "You" : message.sender.username}
        </bdi>
      )}
      <Text text={message.deleted_at ? undefined : message.text} />
      <span class="meta">
        {message.edited_at && !message.deleted_at && "edited "}
        <time dateTime={message.created_at}>{clockTime(message.created_at)}</time>
        {tick && <TickMark tick={tick} seenBy={seenBy} />}
      </span>
    </div>
  </li>
));

export const bubbleClass = (isMine: boolean, isFirst: boolean): string =>
  `message ${isMine ? "mine" : "theirs"}${isFirst ? " first" : ""}`;

/** Text and nothing else: its direction is its own and ends with it. */
export const Text = ({ text }: { text: string | undefined }) =>
  text === undefined ? (
    <p class="text deleted">This message was deleted</p>
  ) : (
    <p class="text" dir="auto">
      {text}
    </p>
  );
