import type { ComponentChildren } from "preact";
import { api } from "../api.ts";
import { linkTo } from "../route.ts";
import { usePages } from "../use-pages.ts";
import type { Action, ActionName } from "../views.ts";
import { type Column, List, Sheet, Time, UserLink } from "./bits.tsx";

const words: Readonly<Record<ActionName, string>> = {
  "user.ban": "banned user",
  "user.unban": "un-banned user",
  "user.change": "changed user",
  "user.close": "closed the account of user",
  "user.sign-out": "signed out user",
  "room.delete": "deleted room",
  "message.delete": "deleted message",
  "client.create": "made a key:",
  "client.revoke": "revoked the key",
  "job.retry": "retried job",
  "job.retry-all": "retried all jobs that had",
  "queue.change": "changed the queue:",
};

/** What it was done to, as a way there if it is still there. */
function target({ action, target }: Action): ComponentChildren {
  if (action.startsWith("user.")) return <a href={linkTo("users", target)}>{target}</a>;
  if (action === "message.delete") return <a href={linkTo("messages", target)}>{target}</a>;
  return target;
}

const told = (detail: Record<string, unknown> | null): string =>
  Object.entries(detail ?? {})
    .map(([name, value]) => `${name.replace("_", " ")}: ${Array.isArray(value) ? value.join(", ") : String(value)}`)
    .join("; ");

const columns: readonly Column<Action>[] = [
  { name: "When", cell: (action) => <Time at={action.at} /> },
  { name: "Who", cell: (action) => <UserLink user={action.actor} /> },
  {
    name: "What",
    cell: (action) => (
      <span class="said">
        {words[action.action]} {target(action)}
        <bdi class="muted sub">{told(action.detail)}</bdi>
      </span>
    ),
  },
  { name: "Request", cell: (action) => <code>{action.request_id}</code>, isExtra: true },
];

/** Who did what at this desk. */
export function Actions() {
  const pages = usePages(api.actions, "actions");
  return (
    <Sheet title="Activity">
      <List
        label="Activity"
        pages={pages}
        columns={columns}
        keyOf={({ id }) => id}
        empty="No admin has done anything yet."
      />
    </Sheet>
  );
}
