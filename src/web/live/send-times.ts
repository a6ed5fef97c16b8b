import { signal } from "@preact/signals";

/** How long the last message took, from the key to the answer, and to the commit. */
export const sendTimes = signal<{ readonly acceptedMs?: number; readonly storedMs?: number }>({});

export function noteTimes(times: { readonly acceptedMs: number } | { readonly storedMs: number }): void {
  sendTimes.value = { ...sendTimes.value, ...times };
}
