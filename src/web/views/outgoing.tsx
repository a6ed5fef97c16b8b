import { drop, retry } from "../live/outbox.ts";
import { state } from "../live/store.ts";
import { clockTime } from "../state/days.ts";
import { outgoingTo } from "../state/select.ts";
import type { Outgoing, Target } from "../state/state.ts";
import { bubbleClass, Text, TickMark } from "./message.tsx";

const ticks = { sending: "sending", accepted: "sent", failed: "failed" } as const;

/** What I have sent and the server has not stored yet. */
export const OutgoingList = ({ target }: { target: Target }) => (
  <ol class="thread outgoing" aria-label="Being sent">
    {outgoingTo(state.value, target).map((outgoing, i) => (
      <OutgoingRow key={outgoing.key} outgoing={outgoing} isFirst={i === 0} />
    ))}
  </ol>
);

const OutgoingRow = ({ outgoing, isFirst }: { outgoing: Outgoing; isFirst: boolean }) => (
  <li class={bubbleClass(true, isFirst)} data-key={outgoing.key}>
    <div class="bubble">
      <Text text={outgoing.text} />
      <span class="meta">
        <time dateTime={outgoing.at}>{clockTime(outgoing.at)}</time>
        <TickMark tick={ticks[outgoing.state]} />
      </span>
    </div>
    {outgoing.state === "failed" && (
      <p class="not-sent">
        <span role="alert">{outgoing.problem?.detail ?? "It could not be sent"}</span>
        <button type="button" class="link" onClick={() => retry(outgoing.key)}>
          Try again
        </button>
        <button type="button" class="link" onClick={() => drop(outgoing.key)}>
          Discard
        </button>
      </p>
    )}
  </li>
);
