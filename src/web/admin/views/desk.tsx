import { useEffect, useRef } from "preact/hooks";
import { client, session } from "../../client.ts";
import { closeDialog, DialogPlace } from "../../views/dialog.tsx";
import { SignIn } from "../../views/sign-in.tsx";
import { health, said, trouble, watchHealth } from "../live.ts";
import { linkTo, type Place, place, type Section } from "../route.ts";
import { Actions } from "./actions.tsx";
import { Clients } from "./clients.tsx";
import { Jobs } from "./jobs.tsx";
import { Reported } from "./message.tsx";
import { Overview } from "./overview.tsx";
import { openQueues } from "./queues.ts";
import { Room } from "./room.tsx";
import { Rooms } from "./rooms.tsx";
import { User } from "./user.tsx";
import { Users } from "./users.tsx";

/** Signed out: the same form as everywhere. Signed in: the desk for admins, and for others the way back. */
export function Desk() {
  const user = session.value?.user;
  if (!user) return <SignIn />;
  return user.is_admin ? <Office key={user.id} /> : <NotForYou username={user.username} />;
}

function NotForYou({ username }: { username: string }) {
  // Perhaps it is theirs by now: what is known of them is from when they signed in.
  useEffect(() => void client.me().catch(() => {}), []);
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <header>
          <h1>This desk is for admins</h1>
          <p>
            You are signed in as <bdi>{username}</bdi>, who is not one.
          </p>
        </header>
        <a class="button primary" href="/">
          Back to the chats
        </a>
        <button type="button" class="button" onClick={() => void client.logOut()}>
          Sign in as somebody else
        </button>
      </div>
    </main>
  );
}

function Office() {
  useEffect(watchHealth, []);
  useEffect(() => {
    // Whose right has ended is told so by the server, and by this page.
    if (trouble.value?.code === "not_allowed") client.me().catch(() => {});
  }, [trouble.value]);
  const { section, id } = place.value;
  useEffect(() => {
    document.title = `${names[section]} · Parley's desk`;
    scrollTo(0, 0);
    // What was asked there was asked about what was open.
    closeDialog();
  }, [section, id]);
  return (
    <div class="desk">
      <Side />
      <main class="sheet">
        <p role="status" class={said.value ? "notice" : "unseen-text"}>
          {said.value}
        </p>
        {trouble.value && <p class="notice warn">{trouble.value.detail}. What is shown here may be old.</p>}
        <Open key={`${section}/${id}`} section={section} id={id} />
      </main>
      <DialogPlace />
    </div>
  );
}

function Open({ section, id }: Place) {
  if (section === "users") return id ? <User id={id} /> : <Users />;
  if (section === "rooms") return id ? <Room id={id} /> : <Rooms />;
  if (section === "messages") return <Reported id={id} />;
  if (section === "clients") return <Clients />;
  if (section === "jobs") return <Jobs />;
  if (section === "actions") return <Actions />;
  return <Overview />;
}

const names: Readonly<Record<Section, string>> = {
  overview: "Overview",
  users: "Users",
  rooms: "Rooms",
  messages: "Messages",
  clients: "Clients",
  jobs: "Failed jobs",
  actions: "Activity",
};

function Side() {
  const nav = useRef<HTMLElement>(null);
  // On a phone they go on beyond the edge.
  useEffect(() => {
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [place.value.section]);
  const failed = health.value?.queue?.failed ?? 0;
  return (
    <header class="side">
      <a class="brand" href={linkTo("overview")}>
        Parley <span>desk</span>
      </a>
      <nav aria-label="Sections" ref={nav}>
        {Object.entries(names).map(([section, name]) => (
          <a
            key={section}
            href={linkTo(section as Section)}
            {...(place.value.section === section && { "aria-current": "page" as const })}
          >
            {name}
            {section === "jobs" && failed > 0 && <span class="badge bad">{failed}</span>}
          </a>
        ))}
        <button type="button" onClick={() => void openQueues()}>
          Queues <span aria-hidden="true">↗</span>
        </button>
      </nav>
      <div class="side-end">
        <a href="/">Chats</a>
        <button type="button" class="link" onClick={() => void client.logOut()}>
          Sign out
        </button>
      </div>
    </header>
  );
}
