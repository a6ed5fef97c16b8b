/** Every code a client can meet, over HTTP, in a frame or as a task's error; the code alone decides the status. */
export const errorCodes = {
  malformed_request: { status: 400, title: "The request can't be read" },
  malformed_json: { status: 400, title: "The body is not valid JSON" },
  validation_failed: { status: 400, title: "The request is not valid" },
  not_signed_in: { status: 401, title: "Who is asking is not known" },
  wrong_credentials: { status: 401, title: "The name or the password is wrong" },
  token_invalid: { status: 401, title: "The token is not one of ours" },
  token_expired: { status: 401, title: "The token has expired" },
  session_ended: { status: 401, title: "The session has ended" },
  wrong_password: { status: 403, title: "The current password is wrong" },
  account_banned: { status: 403, title: "The account is banned" },
  insufficient_scope: { status: 403, title: "The key may not do this" },
  not_allowed: { status: 403, title: "Not allowed" },
  not_a_member: { status: 403, title: "Not a member of this room" },
  route_not_found: { status: 404, title: "No such path" },
  user_not_found: { status: 404, title: "No such user" },
  room_not_found: { status: 404, title: "No such room" },
  member_not_found: { status: 404, title: "Not a member of this room" },
  message_not_found: { status: 404, title: "No such message" },
  task_not_found: { status: 404, title: "No such task" },
  session_not_found: { status: 404, title: "No such session" },
  token_not_found: { status: 404, title: "No such token" },
  client_not_found: { status: 404, title: "No such client" },
  job_not_found: { status: 404, title: "No such job" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  username_taken: { status: 409, title: "The username is taken" },
  email_taken: { status: 409, title: "The e-mail address is taken" },
  room_name_taken: { status: 409, title: "The room name is taken" },
  room_is_direct: { status: 409, title: "A direct room has its two members for good" },
  cancelled: { status: 409, title: "The task was cancelled" },
  job_not_retryable: { status: 409, title: "The job can't be retried" },
  last_admin: { status: 409, title: "Somebody has to be an admin" },
  task_not_cancellable: { status: 409, title: "The task can't be cancelled" },
  offset_gone: { status: 410, title: "The log does not go on from this offset" },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The content type is not supported" },
  message_to_self: { status: 422, title: "A direct message needs somebody else" },
  rate_limited: { status: 429, title: "Too many requests" },
  headers_too_large: { status: 431, title: "The headers are too large" },
  idempotency_mismatch: { status: 422, title: "This key was used for another message" },
  internal: { status: 500, title: "Something went wrong on our side" },
  queue_unavailable: { status: 503, title: "The queue can't be reached" },
  database_unavailable: { status: 503, title: "The database can't be reached" },
  overloaded: { status: 503, title: "Too much is waiting" },
  shutting_down: { status: 503, title: "This server is stopping" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorCodes;

/** One field that is wrong: `path` as the client wrote it, dots between levels. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** An answer, not an accident: whoever throws it knows what the client should be told. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    detail: string,
    more: { errors?: readonly FieldError[]; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause });
    this.code = code;
    this.errors = more.errors;
    this.headers = more.headers ?? {};
  }

  get status(): number {
    return errorCodes[this.code].status;
  }
}

/** RFC 9457, plus our `code` and the fields that are wrong. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  errors?: FieldError[];
  request_id?: string;
}

export function problemOf(error: AppError, requestId?: string): Problem {
  const { status, title } = errorCodes[error.code];
  return {
    type: `urn:parley:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(error.errors && { errors: [...error.errors] }),
    ...(requestId !== undefined && { request_id: requestId }),
  };
}

export const isErrorCode = (code: unknown): code is ErrorCode => typeof code === "string" && code in errorCodes;
