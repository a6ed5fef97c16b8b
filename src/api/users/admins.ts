import { type EntityManager, oneRow, rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";

/**
 * Of the two who take the right from each other at the same moment one comes first: all admins are held until the end,
 * in the order of their ids. Nobody else is looked for where the user in question is no admin.
 */
export async function assertLeavesAnAdmin(tx: EntityManager, userId: number): Promise<void> {
  const user = await oneRow<{ is_admin: boolean }>(tx, "select is_admin from users where id = $1", [userId]);
  if (!user?.is_admin) return;
  const admins = await rows<{ id: number }>(
    tx,
    `select id from users where is_admin and deactivated_at is null and banned_at is null
     order by id for no key update`,
  );
  if (admins.every(({ id }) => id === userId)) {
    throw new AppError("last_admin", "There is no other admin: make somebody else one first");
  }
}
