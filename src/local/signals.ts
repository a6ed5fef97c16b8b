import { endEverything } from "./child.ts";

/** Why a start was called off: somebody asked us to stop. */
export class Stopped extends Error {
  override message = "asked to stop";
}

// npm hands on the Ctrl-C that the terminal has already sent to us: one key, two signals, a few milliseconds apart.
const ECHO_MS = 500;
const AT_ONCE_MS = 2_000;
const LOOK_MS = 250;

/** Aborted at the first SIGINT, SIGTERM or SIGHUP; at the second everything is killed. */
export function listenForStop(source: NodeJS.ProcessEnv): AbortSignal {
  const stop = new AbortController();
  let firstAt = 0;
  const asked = (): void => {
    if (!stop.signal.aborted) {
      firstAt = performance.now();
      stop.abort(new Stopped());
    } else if (performance.now() - firstAt > ECHO_MS) {
      hurry();
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, asked);
  // Only `npm start` itself: `nohup node src/start.ts &` is meant to outlive its shell.
  if (source["npm_lifecycle_event"] === "start") whenParentIsGone(() => stop.abort(new Stopped()));
  return stop.signal;
}

/** The orderly stop goes on and finds everything gone; the timer is for the case that it does not come to its end. */
function hurry(): void {
  void endEverything();
  setTimeout(() => process.exit(1), AT_ONCE_MS).unref();
}

/** A SIGTERM to npm ends its shell, and a shell hands nothing on: that our parent has changed is all we are told. */
function whenParentIsGone(then: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, LOOK_MS).unref();
}
