import { collectDefaultMetrics, Registry } from "prom-client";

let figures: Registry | undefined;

/** Memory, CPU, event loop, collections: of the process, and so once in it, whatever else runs there. */
export function processFigures(): Registry {
  if (!figures) {
    figures = new Registry();
    collectDefaultMetrics({ register: figures });
  }
  return figures;
}
