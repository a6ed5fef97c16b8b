import { collectDefaultMetrics, Registry } from "prom-client";

/** Walk through every connection at each scrape, and say what `nodejs_active_resources` says as well. */
const TOO_DEAR = ["nodejs_active_handles", "nodejs_active_handles_total"];

let figures: Registry | undefined;

/** Memory, CPU, event loop, collections: of the process, and so once in it, whatever else runs there. */
export function processFigures(): Registry {
  if (!figures) {
    figures = new Registry();
    collectDefaultMetrics({ register: figures });
    for (const name of TOO_DEAR) figures.removeSingleMetric(name);
  }
  return figures;
}
