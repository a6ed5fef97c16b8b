import { useEffect, useRef, useState } from "preact/hooks";
import { client } from "../client.ts";
import { send } from "../live/outbox.ts";
import { state } from "../live/store.ts";
import type { Target } from "../state/state.ts";
import { Icon } from "./icons.tsx";

const MOST_CHARACTERS = 4_000;
/** So few are left that it is worth saying. */
const WARN_FROM = 500;

/** What is being written stays with its conversation while one looks at another; it is its writer's alone. */
const drafts = new Map<string, string>();

export function Composer({ target, roomId }: { target: Target; roomId: number | undefined }) {
  const name = `${state.value.meId} ${JSON.stringify(target)}`;
  const [text, setText] = useState(drafts.get(name) ?? "");
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // On a touch screen the focus would bring up the keyboard over what one wants to read.
    if (matchMedia("(hover: hover)").matches) box.current?.focus();
  }, []);
  const write = (next: string): void => {
    setText(next);
    drafts.set(name, next);
  };
  const left = MOST_CHARACTERS - text.trim().length;
  const isSendable = text.trim() !== "" && left >= 0;
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!isSendable) return;
    send(target, text.trim());
    write("");
    box.current?.focus();
  };
  return (
    <form class="composer" onSubmit={submit}>
      <div class="grow" data-text={`${text}\n`}>
        <textarea
          ref={box}
          rows={1}
          dir="auto"
          aria-label="Message"
          aria-describedby="composer-keys"
          placeholder="Write a message"
          aria-invalid={left < 0}
          value={text}
          onInput={(event) => {
            write(event.currentTarget.value);
            if (roomId !== undefined && event.currentTarget.value !== "") client.typing(roomId);
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
          }}
        />
      </div>
      <span id="composer-keys" class="unseen-text">
        Enter sends, Shift and Enter begins a new line
      </span>
      {left < WARN_FROM && (
        <span class={left < 0 ? "count wrong" : "count"} role="status">
          {left < 0 ? `${-left} too many` : `${left} left`}
        </span>
      )}
      <button type="submit" class="icon-button send" aria-label="Send" disabled={!isSendable}>
        <Icon name="send" />
      </button>
    </form>
  );
}
