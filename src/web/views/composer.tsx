import { useEffect, useRef, useState } from "preact/hooks";
import { client } from "../client.ts";
import { send } from "../live/outbox.ts";
import { state } from "../live/store.ts";
import type { Target } from "../state/state.ts";
import { Icon } from "./icons.tsx";

const MOST_CHARACTERS = 4_000;
const COUNT_FROM = 3_500;

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
  const submit = (event: Event): void => {
    event.preventDefault();
    if (text.trim() === "") return;
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
          maxLength={MOST_CHARACTERS}
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
      {text.length >= COUNT_FROM && <span class="count">{MOST_CHARACTERS - text.length} left</span>}
      <button type="submit" class="icon-button send" aria-label="Send" disabled={text.trim() === ""}>
        <Icon name="send" />
      </button>
    </form>
  );
}
