import { batch, effect, untracked } from "@preact/signals";
import { session } from "../client.ts";
import { forgetTyping } from "../state/apply.ts";
import { unseenTotal } from "../state/select.ts";
import { emptyState } from "../state/state.ts";
import { announcement } from "./announce.ts";
import { heard } from "./connection.ts";
import { follow, stopFollowing } from "./follow.ts";
import { loading } from "./history.ts";
import { forgetSends, sendLeftBehind } from "./outbox.ts";
import { stopWatchingPeople, watchPeople } from "./people.ts";
import { forgetLooks } from "./seen.ts";
import { sendTimes } from "./send-times.ts";
import { change, isLoaded, state } from "./store.ts";

const FORGET_TYPING_EVERY_MS = 1_000;

/** Ties the page's life to the session's: whoever signs in is followed, whoever signs out is forgotten. */
export function live(): void {
  let current: number | undefined;
  effect(() => {
    const next = session.value?.user.id;
    if (next === current) return;
    untracked(() => {
      if (current !== undefined) end();
      current = next;
      if (next !== undefined) begin(next);
    });
  });
  effect(() => {
    const unseen = session.value ? unseenTotal(state.value) : 0;
    document.title = unseen > 0 ? `(${unseen}) Parley` : "Parley";
  });
  setInterval(() => {
    if (state.value.typing.size > 0) change((now) => forgetTyping(now, Date.now()));
  }, FORGET_TYPING_EVERY_MS);
}

function begin(meId: number): void {
  state.value = emptyState(meId);
  follow();
  sendLeftBehind();
  watchPeople();
}

function end(): void {
  batch(() => {
    stopFollowing();
    stopWatchingPeople();
    forgetSends();
    forgetLooks();
    isLoaded.value = false;
    loading.value = new Map();
    announcement.value = "";
    heard.value = [];
    sendTimes.value = {};
    state.value = emptyState(0);
  });
}
