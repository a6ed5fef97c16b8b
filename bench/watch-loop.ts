import { monitorEventLoopDelay } from "node:perf_hooks";

/** Loaded into a server that is measured: tells, when asked, for how long its event loop was held at the longest. */
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();

process.on("message", (message) => {
  if (message !== "longest-hold") return;
  process.send?.({ type: "longest-hold", ms: delay.max / 1e6 });
  delay.reset();
});

// Whoever started this is gone, and nobody will end it any more.
process.once("disconnect", () => process.exit(0));
