import type { Context } from "koa";

export type Query = Readonly<NodeJS.Dict<string>>;

const NONE: Query = Object.freeze({});

/** A parameter given twice is taken once, the last: `?limit=5&limit=6` is a mistake that hurts nobody. */
export function queryOf(ctx: Context): Query {
  if (!ctx.req.url!.includes("?")) return NONE;
  return Object.fromEntries(
    Object.entries(ctx.query).map(([key, value]) => [key, Array.isArray(value) ? value.at(-1) : value]),
  );
}
