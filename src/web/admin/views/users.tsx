import { useState } from "preact/hooks";
import { api } from "../api.ts";
import { usePages } from "../use-pages.ts";
import type { AdminUser } from "../views.ts";
import { type Column, List, Sheet, Time, UserLink, UserState } from "./bits.tsx";
import { Search } from "./search.tsx";

const states = { "": "Everybody", active: "Active", banned: "Banned", deactivated: "Closed", admin: "Admins" };

const columns: readonly Column<AdminUser>[] = [
  {
    name: "User",
    cell: (user) => (
      <>
        <UserLink user={user} />
        <span class="muted sub">
          <bdi>{`${user.first_name} ${user.last_name}`.trim() || user.email || `id ${user.id}`}</bdi>
        </span>
      </>
    ),
  },
  { name: "State", cell: (user) => <UserState user={user} /> },
  { name: "Since", cell: (user) => <Time at={user.created_at} />, isExtra: true },
  { name: "Last used", cell: (user) => <Time at={user.last_used_at} none="not signed in" />, isExtra: true },
  { name: "Sessions", cell: (user) => user.session_count, isExtra: true, isNumber: true },
];

export function Users() {
  const [q, setQ] = useState("");
  const [state, setState] = useState("");
  const pages = usePages((after) => api.users(q, state, after), `${state} ${q}`);
  return (
    <Sheet title="Users">
      <Search
        label="Search by name, e-mail or id"
        onSearch={setQ}
        filter={{ label: "Which users", options: states, set: setState }}
      />
      <List label="Users" pages={pages} columns={columns} keyOf={({ id }) => id} empty="Nobody is found." />
    </Sheet>
  );
}
