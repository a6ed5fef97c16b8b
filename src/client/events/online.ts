import { page } from "../page.ts";
import { pause } from "../patience.ts";

/** Where there is a browser that knows when the network is back, there is no need to wait any longer. */
export async function pauseOrOnline(ms: number, signal: AbortSignal): Promise<void> {
  const sooner = new AbortController();
  const wake = (): void => sooner.abort();
  signal.addEventListener("abort", wake);
  page.addEventListener?.("online", wake);
  try {
    if (!signal.aborted) await pause(ms, sooner.signal).catch(() => {});
  } finally {
    signal.removeEventListener("abort", wake);
    page.removeEventListener?.("online", wake);
  }
}
