import { oneRow } from "../../shared/db/database.ts";
import { userNotFound } from "../../shared/policies.ts";
import type { ApiDeps } from "../deps.ts";
import { type UserRow, userColumns } from "./present.ts";

export async function getUser(id: number, { em }: ApiDeps): Promise<UserRow> {
  const row = await oneRow<UserRow>(em, `select ${userColumns} from users where id = $1 and deactivated_at is null`, [
    id,
  ]);
  if (!row) throw userNotFound(id);
  return row;
}
