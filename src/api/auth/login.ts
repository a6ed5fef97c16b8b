import { oneRow } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import type { ApiDeps } from "../deps.ts";
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
  const name = (username ?? email)!.trim().toLowerCase();
  const attempt = await deps.limits.loginAttempt(name, address);
  const user = await oneRow<UserRow & { password_hash: string }>(
    deps.em,
    `select ${userColumns}, password_hash from users
     where deactivated_at is null and lower(${username === undefined ? "email" : "username"}) = $1`,
    [name],
  );
  if (!(await verifyPassword(password, user?.password_hash)) || !user) {
    await attempt.failed();
    throw new AppError("wrong_credentials", "The name or the password is wrong");
  }
  await attempt.succeeded();
  return openSession(user, userAgent, deps);
}
