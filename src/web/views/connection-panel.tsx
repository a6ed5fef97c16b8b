import { signal } from "@preact/signals";
import { connections, heard, status, type Wish, wish, wishes } from "../live/connection.ts";
import { follow } from "../live/follow.ts";
import { sendTimes } from "../live/send-times.ts";
import { state } from "../live/store.ts";

const isOpen = signal(false);

const names: Readonly<Record<Wish, string>> = {
  auto: "Automatic",
  websocket: "WebSocket",
  sse: "Server-sent events",
  "long-poll": "Long poll",
};

/** How the page is connected, and a way to watch each of the others work. */
export function ConnectionPanel() {
  const { transport, state: how } = status.value ?? {};
  return (
    <section class="connection" aria-label="Connection">
      <button
        type="button"
        class="connection-line"
        aria-expanded={isOpen.value}
        onClick={() => {
          isOpen.value = !isOpen.value;
        }}
      >
        <span class={`dot ${how === "live" ? "online" : "busy"}`} aria-hidden="true" />
        <span data-state={how}>{how === "live" ? "Connected" : how === "waiting" ? "Waiting" : "Connecting"}</span>
        <span class="connection-how">{transport && names[transport]}</span>
      </button>
      {isOpen.value && <Details />}
    </section>
  );
}

function Details() {
  return (
    <div class="connection-details">
      <fieldset class="transports">
        <legend>Connect by</legend>
        {wishes.map((name) => (
          <label key={name} class="check">
            <input type="radio" name="transport" checked={wish.value === name} onChange={() => connectBy(name)} />
            {names[name]}
          </label>
        ))}
      </fieldset>
      <Facts />
      <p class="connection-heading">What came last</p>
      <ol class="heard">
        {heard.value.map(({ at, what }) => (
          <li key={at}>
            <time>{at.toLocaleTimeString()}</time> {what}
          </li>
        ))}
        {heard.value.length === 0 && <li>Nothing yet</li>}
      </ol>
    </div>
  );
}

function connectBy(name: Wish): void {
  wish.value = name;
  follow();
}

const inMs = (ms: number | undefined): string => (ms === undefined ? "–" : `${Math.round(ms)} ms`);

function Facts() {
  const { acceptedMs, storedMs } = sendTimes.value;
  const { offset } = state.value;
  return (
    <dl class="facts">
      <dt>Since</dt>
      <dd>{status.value?.since.toLocaleTimeString() ?? "–"}</dd>
      <dt>Connections so far</dt>
      <dd>{connections.value}</dd>
      <dt>Position in the log</dt>
      <dd>{Number(offset.split("_")[1] ?? 0)}</dd>
      <dt>Last message accepted</dt>
      <dd>{inMs(acceptedMs)}</dd>
      <dt>… and stored</dt>
      <dd>{inMs(storedMs)}</dd>
    </dl>
  );
}
