import { rows } from "../../shared/db/database.ts";
import type { ApiDeps } from "../deps.ts";
import { presentUser, type UserRow, userColumns } from "./present.ts";
import { type ListUsers, UsersView } from "./schemas.ts";
import { type CachedPage, cachedPage } from "./users-cache.ts";

/** One page of the users list as JSON, from the cache if it is there. */
export const listUsers = (query: ListUsers, deps: ApiDeps): Promise<CachedPage> =>
  cachedPage(query, async () => JSON.stringify(UsersView.parse(await readUsers(query, deps))), deps);

async function readUsers({ limit, ...query }: ListUsers, { em }: ApiDeps) {
  const found = await rows<UserRow>(em, listSql, [
    Number(query.after ?? 0),
    limit + 1,
    query.q ? `%${escapeLike(query.q)}%` : null,
    query.username ?? null,
    query.first_name ?? null,
    query.last_name ?? null,
    query.status ?? null,
    query.exclude ?? [],
  ]);
  const users = found.slice(0, limit).map(presentUser);
  return { users, next: found.length > limit ? String(users.at(-1)!.id) : null };
}

export const escapeLike = (text: string): string => text.replace(/[\\%_]/g, "\\$&");

const listSql = `
  select ${userColumns} from users
  where deactivated_at is null and id > $1
    and ($3::text is null or username ilike $3 or first_name ilike $3 or last_name ilike $3
      or first_name || ' ' || last_name ilike $3)
    and ($4::text is null or lower(username) = lower($4))
    and ($5::text is null or first_name = $5)
    and ($6::text is null or last_name = $6)
    and ($7::text is null or status = $7)
    and id <> all($8::bigint[])
  order by id
  limit $2`;
