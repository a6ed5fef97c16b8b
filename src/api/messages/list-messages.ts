import { type MessageRow, messageColumns, pointersOf, seenByCountAmong } from "../../shared/db/message-row.ts";
import { assertMayInRoom, directKey, type Role, type RoomKind, userNotFound } from "../../shared/policies.ts";
import { linkHeader } from "../http/links.ts";
import type { Scope } from "../http/route.ts";
import { offsetOf } from "../realtime/offsets.ts";
import { newestInRoom } from "../replicas/newest.ts";
import { readList } from "../replicas/read-list.ts";
import { presentMessage } from "./present.ts";

export interface Page {
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

export async function listRoomMessages(roomId: number, page: Page, scope: Scope) {
  const found = await findPage("id", roomId, page, scope);
  assertMayInRoom(
    "read",
    roomId,
    found && { kind: found.kind, isPublic: found.is_public, role: found.role ?? undefined },
  );
  return present(found!, page, scope);
}

/** Two people who have not written to each other yet have an empty history, not a missing one. */
export async function listUserMessages(userId: number, page: Page, scope: Scope) {
  const found = await findPage("direct_key", directKey(userId, scope.caller.id), page, scope);
  if (found) return present(found, page, scope);
  if (userId !== scope.caller.id && !(await scope.deps.directory.user(userId))) throw userNotFound(userId);
  return { body: { messages: [], next: null, prev: null }, headers: {} };
}

function present(found: FoundPage, { after, limit }: Page, { caller, deps }: Scope) {
  const rows = found.messages.slice(0, limit);
  deps.deliveries.ofPage(rows, caller.id);
  const more = found.messages.length > limit;
  // Newest first, whichever way the page was found.
  const messages = (after === undefined ? rows : rows.toReversed()).map((row) => presentMessage(row, caller.id));
  const older = after !== undefined || more ? messages.at(-1)?.id : undefined;
  const newer = messages[0]?.id;
  return {
    body: { messages, next: older ?? null, prev: newer ?? null },
    headers: {
      "Stream-Next-Offset": offsetOf(found.epoch, found.head),
      ...linkHeader({
        next: older && `before=${older}&limit=${limit}`,
        prev: newer && `after=${newer}&limit=${limit}`,
      }),
    },
  };
}

interface FoundPage {
  kind: RoomKind;
  is_public: boolean;
  role: Role | null;
  epoch: string;
  head: number;
  messages: MessageRow[];
}

/** One row more than asked tells whether there is a next page. */
function findPage(
  by: "id" | "direct_key",
  key: number | string,
  { before, after, limit }: Page,
  { caller, deps }: Scope,
): Promise<FoundPage | undefined> {
  const sql = pageSql(by, after === undefined ? "older" : "newer");
  const parameters = [key, caller.id, limit + 1, after ?? before ?? NEWEST];
  return readList<FoundPage>({ sql, parameters, newest: newestInRoom(by, key, caller.id) }, deps);
}

/** Nothing comes after it. */
const NEWEST = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/**
 * Membership, page and log position in one statement. The page is the next so many of all messages by (room, id), and of
 * those the ones of this room: a planner that takes the room for a small one has no way to read it whole and sort it.
 */
export const pageSql = (by: "id" | "direct_key", which: "older" | "newer"): string => {
  const [side, direction] = which === "older" ? ["<", "desc"] : [">", "asc"];
  return `
    select r.kind, r.is_public, me.role, h.epoch, h.head, coalesce(page.messages, '[]') as messages
    from rooms r
    cross join log_head h
    left join members me on me.room_id = r.id and me.user_id = $2
    left join lateral ${pointersOf("r.id")} on me.role is not null
    left join lateral (
      select jsonb_agg(to_jsonb(one) order by one.id ${direction}) as messages
      from (
        select ${messageColumns}, ${seenByCountAmong}
        from (
          select * from messages m where (m.room_id, m.id) ${side} (r.id, $4::uuid)
          order by m.room_id ${direction}, m.id ${direction} limit $3
        ) m
        join users u on u.id = m.sender_id
        where m.room_id = r.id
      ) one
    ) page on me.role is not null
    where r.${by} = $1`;
};
