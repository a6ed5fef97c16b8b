import { useEffect, useState } from "preact/hooks";
import type { Problem, PublicRooms } from "../../client/index.ts";
import { client, problemOf } from "../client.ts";
import { isLoaded, state } from "../live/store.ts";
import { goTo, linkTo, target } from "../route.ts";
import { Avatar } from "./avatar.tsx";
import { openDialog } from "./dialog.tsx";
import { Icon } from "./icons.tsx";
import { NewGroup } from "./new-group.tsx";
import { Trouble } from "./trouble.tsx";

type PublicRoom = PublicRooms["rooms"][number];

/** Groups that anybody may join, and a way to make one. */
export function Groups() {
  const { rooms, problem, again } = usePublicRooms();
  return (
    <div class="list-with-search">
      <button type="button" class="button new-group" onClick={() => openDialog(<NewGroup />)}>
        <Icon name="plus" />
        New group
      </button>
      {problem && <Trouble problem={problem} again={again} />}
      {!rooms && !problem && <p class="list-note">Loading…</p>}
      {rooms?.length === 0 && (
        <div class="empty">
          <h2>No public groups</h2>
          <p>Make the first one.</p>
        </div>
      )}
      {rooms && rooms.length > 0 && (
        <ul class="list" aria-label="Public groups">
          {rooms.map((room) => (
            <li key={room.id}>{state.value.rooms.has(room.id) ? <Mine room={room} /> : <Joinable room={room} />}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

const About = ({ room, note }: { room: PublicRoom; note: string }) => (
  <>
    <Avatar name={room.name} id={room.id} />
    <span class="row-text">
      <bdi class="row-title">{room.name}</bdi>
      <span class="row-more">{note}</span>
    </span>
  </>
);

const membersOf = ({ member_count: count }: PublicRoom): string => `${count} ${count === 1 ? "member" : "members"}`;

const Mine = ({ room }: { room: PublicRoom }) => (
  <a
    class="row"
    href={linkTo({ room: room.id })}
    aria-current={linkTo(target.value) === linkTo({ room: room.id }) ? "page" : undefined}
  >
    <About room={room} note={`${membersOf(room)} · you are in`} />
  </a>
);

function Joinable({ room }: { room: PublicRoom }) {
  const [problem, setProblem] = useState<Problem>();
  const join = (): void => {
    client.rooms.join(room.id).then(
      () => goTo({ room: room.id }),
      (error: unknown) => setProblem(problemOf(error)),
    );
  };
  return (
    <div class="row">
      <About room={room} note={problem?.detail ?? membersOf(room)} />
      <button type="button" class="button small" aria-label={`Join ${room.name}`} onClick={join}>
        Join
      </button>
    </div>
  );
}

/** Read anew when a room of mine comes or goes: that is when the counts change for me. */
function usePublicRooms() {
  const [rooms, setRooms] = useState<readonly PublicRoom[]>();
  const [problem, setProblem] = useState<Problem>();
  const [tries, setTries] = useState(0);
  const mine = state.value.rooms.size;
  // These say when to read again.
  useEffect(() => {
    let isOver = false;
    client.rooms.listPublic({ limit: 1_000 }).then(
      (page) => {
        if (isOver) return;
        setRooms(page.rooms);
        setProblem(undefined);
      },
      (error: unknown) => {
        if (!isOver) setProblem(problemOf(error));
      },
    );
    return () => {
      isOver = true;
    };
  }, [mine, tries, isLoaded.value]);
  return { rooms, problem, again: () => setTries(tries + 1) };
}
