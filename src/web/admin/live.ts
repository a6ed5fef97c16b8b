import { effect, signal, untracked } from "@preact/signals";
import type { Problem } from "../../client/index.ts";
import { problemOf } from "../client.ts";
import { api } from "./api.ts";
import { place } from "./route.ts";
import type { Health } from "./views.ts";

/** How the system is, as it was seen last. */
export const health = signal<Health | undefined>(undefined);
/** Why it can't be seen. */
export const trouble = signal<Problem | undefined>(undefined);
/** What was done last, for who looks and for who listens. */
export const said = signal("");

/** It was said of what was open then. */
effect(() => {
  place.value;
  untracked(() => {
    said.value = "";
  });
});

const EVERY_MS = 2_000;

/** Looks again and again while somebody looks at the page, and not while it is hidden. @returns how to stop. */
export function watchHealth(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const look = async (): Promise<void> => {
    clearTimeout(timer);
    if (isOver || document.hidden) return;
    await lookNow();
    clearTimeout(timer);
    if (!isOver) timer = setTimeout(look, EVERY_MS);
  };
  const onVisible = (): void => void look();
  document.addEventListener("visibilitychange", onVisible);
  void look();
  return () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
  };
}

export async function lookNow(): Promise<void> {
  try {
    health.value = await api.health();
    trouble.value = undefined;
  } catch (error) {
    trouble.value = problemOf(error);
  }
}
