import { Problem } from "../client/index.ts";
import { clean } from "./clean.ts";

/** In one line, for people. The fields say more than the sentence about them. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Problem)) return clean(error instanceof Error ? error.message : String(error));
  const fields = error.errors.map(({ field, message }) => `${field} ${message}`);
  return clean(fields.length > 0 ? fields.join(", ") : error.detail);
}
