import { UserSchema } from "../../shared/db/entities.ts";
import { assertMayChangeUser, userNotFound } from "../../shared/policies.ts";
import type { Scope } from "../http/route.ts";
import { changeUsers } from "./create-user.ts";
import type { UserRow } from "./present.ts";
import type { UpdateUser } from "./schemas.ts";

export async function updateUser(id: number, changes: UpdateUser, { caller, deps }: Scope): Promise<UserRow> {
  assertMayChangeUser(caller, id);
  return changeUsers(deps, async (tx) => {
    const user = await tx.findOne(UserSchema, { id, deactivatedAt: null });
    if (!user) throw userNotFound(id);
    user.username = changes.username ?? user.username;
    user.firstName = changes.first_name ?? user.firstName;
    user.lastName = changes.last_name ?? user.lastName;
    user.status = changes.status ?? user.status;
    if (changes.email !== undefined) user.email = changes.email;
    if (changes.status_message !== undefined) user.statusMessage = changes.status_message;
    await tx.flush();
    return id;
  });
}
