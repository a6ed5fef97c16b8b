import { type EntityManager, inTransaction, oneRow, violatedConstraint } from "../../shared/db/database.ts";
import { UserSchema } from "../../shared/db/entities.ts";
import { AppError } from "../../shared/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { hashPassword } from "./passwords.ts";
import { type UserRow, userColumns } from "./present.ts";
import type { UserView } from "./schemas.ts";
import { announceUser, dropUsersCache } from "./users-cache.ts";

export interface CreateUser {
  readonly username: string;
  readonly password: string;
  readonly email?: string | null | undefined;
  readonly first_name?: string | undefined;
  readonly last_name?: string | undefined;
  readonly status?: UserView["status"] | undefined;
  readonly status_message?: string | null | undefined;
}

type NewUser = Omit<CreateUser, "password"> & { readonly passwordHash: string };

/** What signing up needs, so that the seeds can do it too. */
export type UsersDeps = Pick<ApiDeps, "em" | "backend" | "log" | "directory">;

export async function createUser({ password, ...user }: CreateUser, deps: UsersDeps): Promise<UserRow> {
  // Hashed before the transaction opens: it takes longer than all the rest, and holds nothing.
  return addUser({ ...user, passwordHash: await hashPassword(password) }, deps);
}

/** Somebody whose password was hashed already. */
export function addUser(command: NewUser, deps: UsersDeps): Promise<UserRow> {
  return changeUsers(deps, async (tx) => {
    const user = tx.create(UserSchema, {
      username: command.username,
      passwordHash: command.passwordHash,
      email: command.email ?? null,
      firstName: command.first_name ?? "",
      lastName: command.last_name ?? "",
      status: command.status ?? "Offline",
      statusMessage: command.status_message ?? null,
    });
    await tx.flush();
    return user.id;
  });
}

/** One transaction that changes one user, then the cache: every way to change a user goes through here. */
export async function changeUsers(deps: UsersDeps, work: (tx: EntityManager) => Promise<number>): Promise<UserRow> {
  try {
    const row = await inTransaction(deps.em, async (tx) => {
      const id = await work(tx);
      await announceUser(tx, id);
      return oneRow<UserRow>(tx, `select ${userColumns} from users where id = $1`, [id]);
    });
    // The tail will say so too; whoever asks this process next need not wait for it.
    deps.directory.forgetUser(row!.id);
    return row!;
  } catch (error) {
    throw takenError(error) ?? error;
  } finally {
    await dropUsersCache(deps);
  }
}

function takenError(error: unknown): AppError | undefined {
  const taken = (code: "username_taken" | "email_taken", path: string): AppError =>
    new AppError(code, `Somebody has this ${path} already`, { cause: error, errors: [{ path, message: "is taken" }] });
  const constraint = violatedConstraint(error);
  if (constraint === "users_username_unique") return taken("username_taken", "username");
  if (constraint === "users_email_unique") return taken("email_taken", "email");
  return undefined;
}
