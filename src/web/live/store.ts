import { signal } from "@preact/signals";
import { emptyState, type State } from "../state/state.ts";

export const state = signal<State>(emptyState(0));
/** Whether the first snapshot has come. */
export const isLoaded = signal(false);

export function untilLoaded(): Promise<void> {
  return new Promise((resolve) => {
    const stop = isLoaded.subscribe((isSo) => {
      if (!isSo) return;
      queueMicrotask(() => stop());
      resolve();
    });
  });
}

export function change(work: (state: State) => State): void {
  state.value = work(state.value);
}
