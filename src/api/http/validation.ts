import type { z } from "zod";
import { AppError, type FieldError } from "../../shared/errors.ts";

/** Past this line types are true: what does not fit its schema is answered with every field that is wrong. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.flatMap(fieldErrors));
}

export function invalid(errors: readonly FieldError[]): AppError {
  const detail = errors.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join("; ");
  return new AppError("validation_failed", detail, { errors });
}

/** Unknown keys are one error each, so that each is named. */
function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: path ? `${path}.${key}` : key, message: "is not known here" }));
  }
  const missing = issue.code === "invalid_type" && issue.input === undefined && path !== "";
  return [{ path, message: missing ? "is required" : wordsOf(issue) }];
}

/** People read these beside the field; the library's own words for lengths are those of a programmer. */
function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "too_small" && issue.origin === "string") {
    return issue.minimum === 1 ? "must not be empty" : `must have ${issue.minimum} characters at least`;
  }
  if (issue.code === "too_big" && issue.origin === "string") return `may have ${issue.maximum} characters at most`;
  return issue.message;
}
