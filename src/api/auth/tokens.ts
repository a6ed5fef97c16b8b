import { inTransaction, oneRow, rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import type { ApiDeps } from "../deps.ts";
import type { Scope } from "../http/route.ts";
import { isoTime, isoTimeOrNull } from "../http/schemas.ts";
import { announceEnd } from "./credentials.ts";
import { hashSecret, newSecret, prefixes } from "./secrets.ts";

interface TokenRow {
  readonly id: number;
  readonly name: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
}

const columns = "id, name, created_at, expires_at, last_used_at";

const present = (row: TokenRow) => ({
  id: row.id,
  name: row.name,
  created_at: isoTime(row.created_at),
  expires_at: isoTimeOrNull(row.expires_at),
  last_used_at: isoTimeOrNull(row.last_used_at),
});

export async function createToken({ caller, deps }: Scope, name: string, until: string | null) {
  const { em, now } = deps;
  // Else a key without that scope would make itself something that may do more than it.
  if (caller.scopes && !caller.scopes.includes("admin")) {
    throw new AppError("insufficient_scope", "A key needs the scope admin to make tokens");
  }
  // Else one that was stolen would live on, after its end or its revocation, in those that it has made.
  if (caller.credential.startsWith("token:")) {
    throw new AppError("insufficient_scope", "A token is made by who has signed in, not by another token");
  }
  // In UTC: not every offset that a clock may show is one that Postgres knows.
  const expiresAt = until === null ? null : new Date(until).toISOString();
  if (expiresAt !== null && Date.parse(expiresAt) <= now()) {
    const errors = [{ path: "expires_at", message: "must be in the future" }];
    throw new AppError("validation_failed", "expires_at: must be in the future", { errors });
  }
  const token = newSecret(prefixes.apiToken);
  const row = await oneRow<TokenRow>(
    em,
    `insert into api_tokens (user_id, name, hash, expires_at) values ($1, $2, $3, $4) returning ${columns}`,
    [caller.id, name, hashSecret(token), expiresAt],
  );
  return { ...present(row!), token };
}

export async function listTokens(userId: number, { em }: ApiDeps) {
  const found = await rows<TokenRow>(
    em,
    `select ${columns} from api_tokens where user_id = $1 and revoked_at is null order by id`,
    [userId],
  );
  return found.map(present);
}

export async function revokeToken(id: number, userId: number, { em, credentials }: ApiDeps): Promise<void> {
  await inTransaction(em, async (tx) => {
    const [revoked] = await rows(
      tx,
      "update api_tokens set revoked_at = now() where id = $1 and user_id = $2 and revoked_at is null returning id",
      [id, userId],
    );
    if (!revoked) throw new AppError("token_not_found", `No token of yours has the id ${id}`);
    await announceEnd(tx, [`token:${id}`]);
  });
  credentials.forget(`token:${id}`);
}
