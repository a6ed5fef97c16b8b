import { type EntityManager, rows } from "../../shared/db/database.ts";
import type { Scope } from "../http/route.ts";
import { isoTime } from "../http/schemas.ts";

/** What admins do to what is not theirs; each leaves a line. */
export const adminActions = [
  "user.ban",
  "user.unban",
  "user.change",
  "user.close",
  "user.sign-out",
  "room.delete",
  "message.delete",
  "client.create",
  "client.revoke",
  "job.retry",
  "job.retry-all",
  "queue.change",
] as const;

interface AdminAction {
  readonly action: (typeof adminActions)[number];
  /** The id of what it was done to. */
  readonly target: number | string;
  /** What else one wants to know when it is gone. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

type Actor = Pick<Scope, "requestId"> & { readonly caller: Pick<Scope["caller"], "id"> };

/** In the transaction that does it, where there is one: what is done is known to have been done, and by whom. */
export async function recordAction(
  em: EntityManager,
  { action, target, detail }: AdminAction,
  { caller, requestId }: Actor,
): Promise<void> {
  await rows(
    em,
    "insert into admin_actions (actor_id, action, target, detail, request_id) values ($1, $2, $3, $4::jsonb, $5)",
    [caller.id, action, String(target), detail ? JSON.stringify(detail) : null, requestId],
  );
}

interface ActionRow {
  readonly id: number;
  readonly at: string;
  readonly actor: { readonly id: number; readonly username: string };
  readonly action: (typeof adminActions)[number];
  readonly target: string;
  readonly detail: Record<string, unknown> | null;
  readonly request_id: string;
}

export async function listActions(
  { after, limit }: { after?: string | undefined; limit: number },
  { deps }: Pick<Scope, "deps">,
) {
  const found = await rows<ActionRow>(
    deps.em,
    `select a.id, a.at, jsonb_build_object('id', u.id, 'username', u.username) as actor, a.action, a.target, a.detail,
       a.request_id
     from admin_actions a join users u on u.id = a.actor_id
     where $1::bigint is null or a.id < $1
     order by a.id desc limit $2`,
    [after ?? null, limit + 1],
  );
  const actions = found.slice(0, limit).map((row) => ({ ...row, at: isoTime(row.at) }));
  return { actions, next: found.length > limit ? String(actions.at(-1)!.id) : null };
}
