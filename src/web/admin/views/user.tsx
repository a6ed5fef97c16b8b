import type { ComponentChildren } from "preact";
import { session } from "../../client.ts";
import { Field } from "../../views/field.tsx";
import { Trouble } from "../../views/trouble.tsx";
import { textOf } from "../../views/use-submit.ts";
import { api } from "../api.ts";
import { useOne, usePages } from "../use-pages.ts";
import type { AdminUserWithAccess } from "../views.ts";
import { Card, List, Sheet, Time, UserState } from "./bits.tsx";
import { confirm } from "./confirm.tsx";
import { Facts } from "./overview.tsx";
import { roomColumns } from "./rooms.tsx";

/** One user: who they are, where they are signed in, and what can be done about it. */
export function User({ id }: { id: string }) {
  const { one: user, problem, again } = useOne(() => api.user(id), id);
  if (!user) {
    return (
      <Sheet title="User">
        {problem ? <Trouble problem={problem} again={again} /> : <p class="list-note">Loading…</p>}
      </Sheet>
    );
  }
  return (
    <Sheet title={<bdi>{user.username}</bdi>} actions={<UserActions user={user} again={again} />}>
      <div class="cards">
        <Card title="Account">
          <Facts facts={factsOf(user)} />
        </Card>
        <Card title="Signed in">
          <Access user={user} />
        </Card>
      </div>
      <RoomsOf id={user.id} />
    </Sheet>
  );
}

function factsOf(user: AdminUserWithAccess): [string, ComponentChildren][] {
  const name = `${user.first_name} ${user.last_name}`.trim();
  return [
    ["State", <UserState key="state" user={user} />],
    ...(user.banned_at
      ? ([
          ["Banned since", <Time key="at" at={user.banned_at} />],
          ["Reason", <bdi key="why">{user.ban_reason ?? "none was given"}</bdi>],
        ] as [string, ComponentChildren][])
      : []),
    ["Id", user.id],
    ["Name", <bdi key="name">{name || "not given"}</bdi>],
    ["E-mail", user.email ?? "not given"],
    ["Since", <Time key="since" at={user.created_at} />],
    ...(user.deactivated_at ? ([["Closed", <Time key="closed" at={user.deactivated_at} />]] as const) : []),
  ] as [string, ComponentChildren][];
}

function Access({ user: { sessions, tokens } }: { user: AdminUserWithAccess }) {
  if (sessions.length + tokens.length === 0) return <p class="muted">Nowhere, and no bot has a token.</p>;
  return (
    <ul class="lines" aria-label="Sessions and tokens">
      {sessions.map(({ id, user_agent, last_used_at }) => (
        <li key={id}>
          <bdi>{user_agent || "an unknown program"}</bdi>
          <span class="muted">
            last used <Time at={last_used_at} />
          </span>
        </li>
      ))}
      {tokens.map(({ id, name, last_used_at }) => (
        <li key={id}>
          <span>
            Bot token <bdi>{name}</bdi>
          </span>
          <span class="muted">
            last used <Time at={last_used_at} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function RoomsOf({ id }: { id: number }) {
  const pages = usePages((after) => api.rooms("", "", id, after), id);
  return (
    <Card title="Rooms">
      <List label="Rooms" pages={pages} columns={roomColumns} keyOf={(room) => room.id} empty="They are in no room." />
    </Card>
  );
}

function UserActions({ user, again }: { user: AdminUserWithAccess; again: () => void }) {
  const { username } = user;
  if (user.state === "deactivated" || user.id === session.value?.user.id) return null;
  const done = async (work: Promise<unknown>, words: string): Promise<string> => {
    await work;
    again();
    return words;
  };
  const ban = () =>
    confirm({
      title: `Ban ${username}?`,
      verb: "Ban",
      children: (
        <>
          <p>
            Their sessions, sockets and bots end at once, and they can't sign in. They stay in their rooms, and what
            they have said stays.
          </p>
          <Field
            label="Reason"
            name="reason"
            problem={undefined}
            maxLength={500}
            hint="They are told when they sign in"
          />
        </>
      ),
      work: (data) => done(api.ban(user.id, textOf(data, "reason").trim()), `${username} is banned.`),
    });
  const unban = () =>
    confirm({
      title: `Let ${username} in again?`,
      verb: "Un-ban",
      isDangerous: false,
      children: <p>They may sign in again. What the ban has ended stays so.</p>,
      work: () => done(api.unban(user.id), `${username} may sign in again.`),
    });
  const signOut = () =>
    confirm({
      title: `Sign ${username} out everywhere?`,
      verb: "Sign out",
      children: <p>All their sessions end, and the tokens of their bots. They may sign in again.</p>,
      work: () => done(api.signOutEverywhere(user.id), `${username} is signed out.`),
    });
  const setAdmin = () =>
    confirm({
      title: user.is_admin ? `Is ${username} no admin any more?` : `Make ${username} an admin?`,
      verb: user.is_admin ? "Take it away" : "Make an admin",
      isDangerous: user.is_admin,
      children: user.is_admin ? (
        <p>They lose this desk, and nothing else.</p>
      ) : (
        <p>They see this desk and can do all that you can do here.</p>
      ),
      work: () =>
        done(
          api.setAdmin(user.id, !user.is_admin),
          `${username} is ${user.is_admin ? "no admin any more" : "an admin"}.`,
        ),
    });
  return (
    <>
      <button type="button" class="button" onClick={setAdmin}>
        {user.is_admin ? "Take admin away" : "Make an admin"}
      </button>
      <button type="button" class="button" onClick={signOut}>
        Sign out everywhere
      </button>
      {user.state === "banned" ? (
        <button type="button" class="button primary" onClick={unban}>
          Un-ban
        </button>
      ) : (
        <button type="button" class="button danger" onClick={ban}>
          Ban
        </button>
      )}
    </>
  );
}
