import { inTransaction, oneRow, rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { recordAction } from "../admin/actions.ts";
import { announceEnd, type Scopes } from "../auth/credentials.ts";
import { hashSecret, newSecret, prefixes } from "../auth/secrets.ts";
import type { ApiDeps } from "../deps.ts";
import type { Scope } from "../http/route.ts";
import { isoTime, isoTimeOrNull } from "../http/schemas.ts";

interface ClientRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: Scopes;
  readonly created_by: number | null;
  readonly created_at: string;
  readonly last_used_at: string | null;
}

const columns = "id, name, scopes, created_by, created_at, last_used_at";

const present = (row: ClientRow) => ({
  id: row.id,
  name: row.name,
  scopes: [...row.scopes],
  created_by: row.created_by,
  created_at: isoTime(row.created_at),
  last_used_at: isoTimeOrNull(row.last_used_at),
});

const notFound = (id: string): AppError => new AppError("client_not_found", `No client has the id ${id}`);

/** The key is `<id>:<secret>`, shown this once. */
export async function createClient(name: string, scopes: Scopes, scope: Scope) {
  const { em, newId } = scope.deps;
  const id = newId();
  const secret = newSecret(prefixes.clientSecret);
  const row = await inTransaction(em, async (tx) => {
    await recordAction(tx, { action: "client.create", target: id, detail: { name, scopes } }, scope);
    return oneRow<ClientRow>(
      tx,
      `insert into api_clients (id, name, secret_hash, scopes, created_by) values ($1, $2, $3, $4, $5)
       returning ${columns}`,
      [id, name, hashSecret(secret), [...new Set(scopes)], scope.caller.id],
    );
  });
  return { ...present(row!), api_key: `${id}:${secret}` };
}

export async function listClients({ em }: ApiDeps) {
  const found = await rows<ClientRow>(em, `select ${columns} from api_clients where revoked_at is null order by id`);
  return found.map(present);
}

export async function getClient(id: string, { em }: ApiDeps) {
  const row = await oneRow<ClientRow>(em, `select ${columns} from api_clients where id = $1 and revoked_at is null`, [
    id,
  ]);
  if (!row) throw notFound(id);
  return present(row);
}

export async function revokeClient(id: string, scope: Scope): Promise<void> {
  const { em, credentials } = scope.deps;
  await inTransaction(em, async (tx) => {
    const [revoked] = await rows<{ name: string }>(
      tx,
      "update api_clients set revoked_at = now() where id = $1 and revoked_at is null returning name",
      [id],
    );
    if (!revoked) throw notFound(id);
    await recordAction(tx, { action: "client.revoke", target: id, detail: { name: revoked.name } }, scope);
    await announceEnd(tx, [`client:${id}`]);
  });
  credentials.forget(`client:${id}`);
}
