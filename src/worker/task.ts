import type { AppError } from "../shared/errors.ts";

/** One job of a batch, parsed. */
export interface Task<Data> {
  readonly id: string;
  readonly data: Data;
}

/** How a task ended: a result, or a refusal that trying again would not change. */
export type Outcome = { readonly result: unknown; readonly problem?: undefined } | { readonly problem: AppError };
