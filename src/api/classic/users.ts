import type { z } from "zod";
import { rows } from "../../shared/db/database.ts";
import type { ApiDeps } from "../deps.ts";
import { createUser } from "../users/create-user.ts";
import { type UserRow, userColumns } from "../users/present.ts";
import { type CachedPage, cachedPage } from "../users/users-cache.ts";
import { presentUser } from "./present.ts";
import type { newUser, userFilters } from "./schemas.ts";

/** As long as the list ever was here: it had no pages. */
const MOST = 10_000;

/** The whole list as a bare array, cached like the list of /v1. */
export const listClassicUsers = (filters: z.output<typeof userFilters>, deps: ApiDeps): Promise<CachedPage> =>
  cachedPage({ classic: true, ...filters }, () => readUsers(filters, deps), deps);

async function readUsers(filters: z.output<typeof userFilters>, { em }: ApiDeps): Promise<string> {
  const found = await rows<UserRow>(
    em,
    `select ${userColumns} from users
     where deactivated_at is null
       and ($1::bigint is null or id = $1) and ($2::text is null or username = $2)
       and ($3::text is null or first_name = $3) and ($4::text is null or last_name = $4)
       and ($5::text is null or status = $5)
     order by id limit ${MOST}`,
    [
      filters.id ?? null,
      filters.username ?? null,
      filters.first_name ?? null,
      filters.last_name ?? null,
      filters.profile__status ?? null,
    ],
  );
  return JSON.stringify(found.map(presentUser));
}

export async function createClassicUser({ profile, ...body }: z.output<typeof newUser>, deps: ApiDeps) {
  const { status, status_msg } = profile;
  return presentUser(await createUser({ ...body, status: status ?? undefined, status_message: status_msg }, deps));
}
