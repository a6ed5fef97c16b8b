import { oneRow } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { accountBanned } from "../users/banned.ts";
import { verifyPassword } from "../users/passwords.ts";
import { type UserRow, userColumns } from "../users/present.ts";
import { openSession } from "./sessions.ts";

export interface Login {
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly password: string;
  readonly userAgent: string;
  readonly address: string;
}

/** Nobody by that name and a wrong password are the same answer, after the same work. */
export async function login({ username, email, password, userAgent, address }: Login, deps: ApiDeps) {
  const name = (username ?? email)!;
  const user = await oneRow<UserRow & { password_hash: string; is_banned: boolean; ban_reason: string | null }>(
    deps.em,
    `select ${userColumns}, password_hash, banned_at is not null as is_banned, ban_reason from users
     where deactivated_at is null and lower(${username === undefined ? "email" : "username"}) = lower($1)`,
    [name],
  );
  // One account is counted once, however it is named; a name that nobody has is counted like one.
  const account = user ? `id ${user.id}` : `name ${name.toLowerCase()}`;
  const isRight = () => verifyPassword(password, user?.password_hash);
  if (!(await deps.limits.checkPassword(account, address, isRight)) || !user) {
    throw new AppError("wrong_credentials", "The name or the password is wrong");
  }
  if (user.is_banned) throw accountBanned(user.ban_reason);
  return openSession(user, userAgent, deps);
}
