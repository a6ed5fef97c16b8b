import { createHash, timingSafeEqual } from "node:crypto";
import type { Deps } from "../deps.ts";
import { AppError } from "../errors.ts";

/** What `/metrics` answers, to whoever may know. */
export async function scrape(
  { env, metrics }: Pick<Deps, "env" | "metrics">,
  authorization: string | undefined,
): Promise<{ readonly type: string; readonly text: string }> {
  if (env.METRICS_TOKEN !== undefined) assertToken(env.METRICS_TOKEN, authorization);
  return { type: metrics.contentType, text: await metrics.text() };
}

function assertToken(token: string, authorization = ""): void {
  if (authorization === "") throw new AppError("not_signed_in", "The figures need METRICS_TOKEN as a bearer token");
  const [, shown = ""] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  // Hashes are of one length, whatever was shown: how long it takes tells nothing of the token.
  if (!timingSafeEqual(hash(shown), hash(token))) throw new AppError("token_invalid", "This is not METRICS_TOKEN");
}

const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
