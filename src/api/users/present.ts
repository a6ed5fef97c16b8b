import { isoTime } from "../http/schemas.ts";
import type { UserView } from "./schemas.ts";

/** A user as SQL returns one. */
export interface UserRow {
  readonly id: number;
  readonly username: string;
  readonly email: string | null;
  readonly first_name: string;
  readonly last_name: string;
  readonly status: UserView["status"];
  readonly status_message: string | null;
  readonly is_admin: boolean;
  readonly created_at: string;
}

export const userColumns = "id, username, email, first_name, last_name, status, status_message, is_admin, created_at";

export const presentUser = (row: UserRow): UserView => ({
  id: row.id,
  username: row.username,
  first_name: row.first_name,
  last_name: row.last_name,
  status: row.status,
  status_message: row.status_message,
  created_at: isoTime(row.created_at),
});

export const presentOwnUser = (row: UserRow) => ({ ...presentUser(row), email: row.email, is_admin: row.is_admin });
