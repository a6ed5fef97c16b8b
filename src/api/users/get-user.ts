import { oneRow } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { userNotFound } from "../../shared/policies.ts";
import type { ApiDeps } from "../deps.ts";
import { type UserRow, userColumns } from "./present.ts";

export async function getUser(id: number, { em }: ApiDeps): Promise<UserRow> {
  const row = await findUser(id, em);
  if (!row) throw userNotFound(id);
  return row;
}

/** Who asks about themselves and is not there any more is nobody. */
export async function getOwnUser(id: number, { em }: ApiDeps): Promise<UserRow> {
  const row = await findUser(id, em);
  if (!row) throw new AppError("not_signed_in", "This account was closed");
  return row;
}

const findUser = (id: number, em: ApiDeps["em"]): Promise<UserRow | undefined> =>
  oneRow<UserRow>(em, `select ${userColumns} from users where id = $1 and deactivated_at is null`, [id]);
