import { signal } from "@preact/signals";
import { session } from "../client.ts";
import { state } from "../live/store.ts";
import { unseenTotal } from "../state/select.ts";
import { Avatar } from "./avatar.tsx";
import { ConnectionPanel } from "./connection-panel.tsx";
import { openDialog } from "./dialog.tsx";
import { Groups } from "./groups.tsx";
import { People } from "./people.tsx";
import { Profile } from "./profile.tsx";
import { Rooms } from "./rooms.tsx";

type Tab = "Chats" | "People" | "Groups";
const tabs: readonly Tab[] = ["Chats", "People", "Groups"];
const tab = signal<Tab>("Chats");

export function showTab(next: Tab): void {
  tab.value = next;
}

export const Sidebar = () => (
  <section class="sidebar" aria-label="Conversations and people">
    <Me />
    <nav class="tabs" aria-label="Lists">
      {tabs.map((name) => (
        <button type="button" key={name} aria-current={tab.value === name} onClick={() => showTab(name)}>
          {name}
          {name === "Chats" && <Badge count={unseenTotal(state.value)} of="unseen messages" />}
        </button>
      ))}
    </nav>
    {tab.value === "Chats" && <Rooms />}
    {tab.value === "People" && <People />}
    {tab.value === "Groups" && <Groups />}
    <ConnectionPanel />
  </section>
);

export const Badge = ({ count, of }: { count: number; of: string }) =>
  count > 0 ? (
    <span class="badge">
      {count > 999 ? "999+" : count}
      <span class="unseen-text"> {of}</span>
    </span>
  ) : null;

function Me() {
  const { user } = session.value ?? {};
  if (!user) return null;
  return (
    <button type="button" class="me" onClick={() => openDialog(<Profile />)}>
      <Avatar name={user.username} id={user.id} />
      <span class="row-text">
        <bdi class="row-title">{user.username}</bdi>
        <span class="row-more" dir="auto">
          {user.status === "Busy" ? "busy" : "online"}
          {user.status_message && ` · ${user.status_message}`}
        </span>
      </span>
      <span class="me-edit">Account</span>
    </button>
  );
}
