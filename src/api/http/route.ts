import type { z } from "zod";
import type { ErrorCode } from "../../shared/errors.ts";
import type { CredentialName, Scopes } from "../auth/credentials.ts";
import type { ApiDeps } from "../deps.ts";
import type { Gone } from "./gone.ts";
import type { BudgetName } from "./limits.ts";
import type { Streamed } from "./streamed.ts";

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** An account that may ask. */
export interface Account {
  readonly id: number;
  readonly username: string;
  readonly isAdmin: boolean;
}

/** Who is asking, and how they showed it. */
export interface Caller extends Account {
  readonly credential: CredentialName;
  /** What an API key may do; undefined for a person, who may do what their account may. */
  readonly scopes?: Scopes | undefined;
  /** When the token that they showed expires; what goes on for longer ends then. */
  readonly expiresAt?: number | undefined;
}

/** Where a request comes from. */
export interface Client {
  readonly address: string;
  readonly userAgent: string;
  /** HEAD: what the answer would be like, without waiting for it. */
  readonly headOnly: boolean;
  /** `?presence=off` says that a read is not a person's. */
  readonly countsAsPresent: boolean;
}

/** What a handler gets besides its input. */
export interface Scope {
  readonly deps: ApiDeps;
  readonly caller: Caller;
  readonly client: Client;
  /** What its line in the log and its jobs are found by. */
  readonly requestId: string;
  /** Aborted when the client has gone away: whatever still waits for it may stop. */
  readonly gone: Gone;
}

/** One way a route can answer well; the bad ways are its `errors`. */
export interface ResponseSpec {
  readonly description: string;
  /** The body; none means an empty answer. */
  readonly body?: z.ZodType;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An already serialised body, for answers that are sent to many as they are. */
export class Raw {
  readonly json: string | Buffer;
  constructor(json: string | Buffer) {
    this.json = json;
  }
}

type BodyOf<S extends ResponseSpec> = S["body"] extends z.ZodType ? z.input<S["body"]> | Raw | Streamed : undefined;

export type ReplyOf<R extends Record<number, ResponseSpec>> = {
  [Status in keyof R & number]: {
    readonly status: Status;
    readonly headers?: Headers;
  } & (R[Status]["body"] extends z.ZodType ? { readonly body: BodyOf<R[Status]> } : { readonly body?: undefined });
}[keyof R & number];

export type Headers = Readonly<Record<string, string>>;

/** An answer of a handler, its status kept as the number that it is, so that it is checked against the route's. */
export function reply<const Status extends number>(status: Status): { status: Status };
export function reply<const Status extends number, Body>(
  status: Status,
  body: Body,
  headers?: Headers,
): { status: Status; body: Body; headers: Headers };
export function reply(status: number, body?: unknown, headers: Headers = {}) {
  return body === undefined ? { status } : { status, body, headers };
}

type Parsed<S extends z.ZodType | undefined> = S extends z.ZodType ? z.output<S> : undefined;

export interface RouteSpec<
  P extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  B extends z.ZodType | undefined,
  H extends z.ZodType | undefined,
  R extends Record<number, ResponseSpec>,
> {
  readonly id: string;
  readonly method: Method;
  readonly path: `/${string}`;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** `public` asks nobody; `caller` needs one; `admin` an admin; `caller-or-demo` needs one except in demo mode. */
  readonly access: "public" | "caller" | "admin" | "caller-or-demo";
  /** What the request is counted as: if not said, reads for a GET and sends for the rest. */
  readonly budget?: BudgetName | "none";
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly headers?: H;
  readonly responses: R;
  readonly errors: readonly ErrorCode[];
  handle(
    input: {
      readonly params: Parsed<P>;
      readonly query: Parsed<Q>;
      readonly body: Parsed<B>;
      readonly headers: Parsed<H>;
    },
    scope: Scope,
  ): Promise<ReplyOf<R>>;
}

/** A route as those see it that mount, document and test it. */
export interface Route
  extends Omit<RouteSpec<z.ZodType, z.ZodType, z.ZodType, z.ZodType, Record<number, ResponseSpec>>, "handle"> {
  // biome-ignore lint/suspicious/noExplicitAny: the input's types live in defineRoute, where each route is checked
  handle(input: any, scope: Scope): Promise<{ status: number; body?: unknown; headers?: Headers }>;
}

/** What a GET or a DELETE brings along is passed over. */
export const readsBody = (method: string): boolean => ["post", "put", "patch"].includes(method.toLowerCase());

/** What any route may answer besides its own errors, because of what it asks of whoever calls. */
export function impliedErrors({ access, budget, method }: Pick<Route, "access" | "budget" | "method">): ErrorCode[] {
  const limited: ErrorCode[] = budget === "none" ? [] : ["rate_limited"];
  if (readsBody(method)) limited.push("malformed_json", "body_too_large", "unsupported_media_type");
  if (access === "public") return limited;
  const who: ErrorCode[] = [
    ...(["not_signed_in", "token_invalid", "token_expired", "session_ended"] as const),
    ...(["account_banned", "insufficient_scope"] as const),
  ];
  return [...limited, ...who, "validation_failed", ...(access === "admin" ? (["not_allowed"] as const) : [])];
}

/** A route is one value: mounting, validation, OpenAPI and the contract tests all read it. */
export function defineRoute<
  P extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
  H extends z.ZodType | undefined = undefined,
  const R extends Record<number, ResponseSpec> = Record<number, ResponseSpec>,
>(spec: RouteSpec<P, Q, B, H, R>): Route {
  return spec as unknown as Route;
}
