import { type EntityManager, oneRow, rows } from "../../shared/db/database.ts";
import { type User, UserSchema } from "../../shared/db/entities.ts";
import { AppError } from "../../shared/errors.ts";
import { assertMayChangeUser, assertMayGrantAdmin, userNotFound } from "../../shared/policies.ts";
import { recordAction } from "../admin/actions.ts";
import type { CredentialName } from "../auth/credentials.ts";
import { endSessions } from "../auth/sessions.ts";
import type { ApiDeps } from "../deps.ts";
import type { Scope } from "../http/route.ts";
import { assertLeavesAnAdmin } from "./admins.ts";
import { changeUsers } from "./create-user.ts";
import { assertGoodPassword, hashPassword, verifyPassword } from "./passwords.ts";
import type { UserRow } from "./present.ts";
import type { UpdateUser } from "./schemas.ts";

export async function updateUser(id: number, changes: UpdateUser, scope: Scope): Promise<UserRow> {
  const { caller, deps } = scope;
  assertMayChangeUser(caller, id);
  if (changes.is_admin !== undefined) assertMayGrantAdmin(caller);
  // Both computed before the transaction opens: they take longer than all the rest.
  const passwordHash = await newPasswordHash(id, changes, scope);
  let ended: CredentialName[] = [];
  const row = await changeUsers(deps, async (tx) => {
    if (changes.is_admin === false) await assertLeavesAnAdmin(tx, id);
    const user = await tx.findOne(UserSchema, { id, deactivatedAt: null });
    if (!user) throw userNotFound(id);
    const { username } = user;
    apply(user, changes, passwordHash);
    await tx.flush();
    if (caller.id !== id) await recordAction(tx, { action: "user.change", target: id, detail: told(changes) }, scope);
    if (passwordHash !== undefined) ended = await endOtherSessions(tx, id, scope);
    // Last, like every lock on the log's head: whoever reads from a replica sees by it that names have changed.
    if (user.username !== username) await rows(tx, "update log_head set renames = renames + 1");
    return id;
  });
  for (const name of ended) deps.credentials.forget(name);
  return row;
}

/** Which fields, and what somebody may do from now on; a new password is told to nobody. */
const told = ({ is_admin, ...rest }: UpdateUser) => ({
  ...(Object.keys(rest).length > 0 && { fields: Object.keys(rest) }),
  ...(is_admin !== undefined && { is_admin }),
});

function apply(user: User, changes: UpdateUser, passwordHash: string | undefined): void {
  user.username = changes.username ?? user.username;
  user.passwordHash = passwordHash ?? user.passwordHash;
  user.firstName = changes.first_name ?? user.firstName;
  user.lastName = changes.last_name ?? user.lastName;
  user.status = changes.status ?? user.status;
  user.isAdmin = changes.is_admin ?? user.isAdmin;
  if (changes.email !== undefined) user.email = changes.email;
  if (changes.status_message !== undefined) user.statusMessage = changes.status_message;
}

/** Whoever changes their own password knows the old one; an admin who sets somebody else's need not. */
async function newPasswordHash(
  id: number,
  changes: UpdateUser,
  { caller, client, deps }: Scope,
): Promise<string | undefined> {
  const { password, current_password } = changes;
  if (password === undefined) return undefined;
  const user = await readPassword(id, deps);
  // Counted like a sign-in: a stolen token must be no way to try one password after the other.
  const isRight = () => verifyPassword(current_password!, user.password_hash);
  const isShown = async () =>
    current_password !== undefined && (await deps.limits.checkPassword(`id ${id}`, client.address, isRight));
  if (caller.id === id && !(await isShown())) {
    const errors = [{ path: "current_password", message: current_password === undefined ? "is required" : "is wrong" }];
    throw new AppError("wrong_password", "A new password needs the current one", { errors });
  }
  assertGoodPassword(password, changes.username ?? user.username);
  return hashPassword(password);
}

async function readPassword(id: number, { em }: ApiDeps): Promise<{ username: string; password_hash: string }> {
  const user = await oneRow<{ username: string; password_hash: string }>(
    em,
    "select username, password_hash from users where id = $1 and deactivated_at is null",
    [id],
  );
  if (!user) throw userNotFound(id);
  return user;
}

const endOtherSessions = (tx: EntityManager, userId: number, { caller }: Scope): Promise<CredentialName[]> =>
  endSessions(tx, "user_id = $1 and id::text <> $2", [userId, caller.credential.replace("session:", "")]);
