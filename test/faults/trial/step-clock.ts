/**
 * Loaded into a process whose wall clock is to be stepped: from the message on, everything in it that asks what time it
 * is gets another answer. The monotonic clock goes on as it does when a machine's clock is set.
 */
let shiftMs = 0;
const RealDate = Date;
const now = (): number => RealDate.now() + shiftMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given: unknown[]) =>
    given.length === 0 ? new target(now()) : new target(...(given as [number])),
  apply: () => new RealDate(now()).toString(),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
});

process.on("message", (message: { type?: string; ms: number }) => {
  if (message.type === "step-clock") shiftMs += message.ms;
});
// Only the product decides for how long its process has something to wait for.
process.channel?.unref();
