import type { ErrorCode, ProblemDocument } from "./views.ts";

/** `unreachable`: no answer, half of one, or one of something that is not Parley. The others are the API's own. */
export type ProblemCode = ErrorCode | "unreachable";

interface ProblemFields {
  status: number;
  code: ProblemCode;
  title: string;
  detail: string;
  errors?: { field: string; message: string }[];
  requestId?: string | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** What went wrong, for people (`detail`, and `errors` for forms) and for programs (`code`). */
export class Problem extends Error {
  override readonly name = "Problem";
  /** 0 where there was no answer. */
  readonly status: number;
  readonly code: ProblemCode;
  readonly title: string;
  readonly detail: string;
  /** Each field that is wrong. */
  readonly errors: readonly { field: string; message: string }[];
  readonly requestId: string | undefined;
  /** How long the server asks to wait. */
  readonly retryAfterMs: number | undefined;

  constructor({ status, code, title, detail, errors = [], requestId, retryAfterMs, cause }: ProblemFields) {
    super(detail, { cause });
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
  }

  /** Asking again may help: nothing is wrong with the question. */
  get isPassing(): boolean {
    return this.code === "unreachable" || this.status === 429 || this.status >= 500;
  }
}

export function problemOf(document: ProblemDocument, retryAfterMs?: number): Problem {
  const { status, code, title, detail, errors = [], request_id: requestId } = document;
  const fields = errors.map(({ path, message }) => ({ field: path, message }));
  return new Problem({ status, code, title, detail, errors: fields, requestId, retryAfterMs });
}

export const unreachable = (detail: string, more: { status?: number; retryAfterMs?: number; cause?: unknown } = {}) =>
  new Problem({ status: 0, code: "unreachable", title: "The server can't be reached", detail, ...more });

export const cancelled = (detail: string): Problem =>
  new Problem({ status: 409, code: "cancelled", title: "The task was cancelled", detail });

export const isProblemDocument = (body: unknown): body is ProblemDocument =>
  typeof body === "object" && body !== null && "code" in body && "status" in body && "detail" in body;

/** Seconds or a date, as RFC 9110 has it. */
export function retryAfterOf(headers: Headers): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
