import { type Deps, type DepsOptions, openDeps } from "../shared/deps.ts";

/** A worker runs the same few statements for every batch. */
export const openWorkerDeps = (options: Omit<DepsOptions, "keepPlans" | "service">): Promise<Deps> =>
  openDeps({ ...options, keepPlans: true, service: "parley-worker" });
