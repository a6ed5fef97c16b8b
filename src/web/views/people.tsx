import { useEffect, useState } from "preact/hooks";
import type { Problem } from "../../client/index.ts";
import { problemOf } from "../client.ts";
import { type Found, findPeople } from "../live/people.ts";
import { isLoaded, state } from "../live/store.ts";
import { linkTo, target } from "../route.ts";
import { directRoomWith } from "../state/select.ts";
import { Avatar, statusText } from "./avatar.tsx";
import { Trouble } from "./trouble.tsx";

const SEARCH_AFTER_MS = 150;

export function People() {
  const [search, setSearch] = useState("");
  const { found, problem, more, again } = useFound(search);
  return (
    <div class="list-with-search">
      <input
        type="search"
        class="search"
        aria-label="Search people"
        placeholder="Search people"
        value={search}
        onInput={(event) => setSearch(event.currentTarget.value)}
      />
      {problem && <Trouble problem={problem} again={again} />}
      {found && <PeopleList found={found} more={more} />}
      {!found && !problem && <p class="list-note">Loading…</p>}
    </div>
  );
}

function PeopleList({ found, more }: { found: Found; more: () => void }) {
  const others = found.users.filter((user) => user.id !== state.value.meId);
  if (others.length === 0) {
    return (
      <div class="empty">
        <h2>Nobody found</h2>
        <p>Try a part of a name.</p>
      </div>
    );
  }
  return (
    <ul class="list" aria-label="People">
      {others.map((user) => {
        const fullName = `${user.first_name} ${user.last_name}`.trim();
        return (
          <li key={user.id}>
            <PersonRow id={user.id} username={user.username} fullName={fullName} />
          </li>
        );
      })}
      {found.next && (
        <li>
          <button type="button" class="button small more" onClick={more}>
            Show more
          </button>
        </li>
      )}
    </ul>
  );
}

function PersonRow({ id, username, fullName }: { id: number; username: string; fullName: string }) {
  const room = directRoomWith(state.value, id);
  const to = room ? { room: room.id } : { to: id };
  return (
    <a class="row" href={linkTo(to)} aria-current={linkTo(target.value) === linkTo(to) ? "page" : undefined}>
      <Avatar name={username} id={id} userId={id} />
      <span class="row-text">
        <span class="row-line">
          <bdi class="row-title">{username}</bdi>
          {fullName && <bdi class="row-time">{fullName}</bdi>}
        </span>
        <span class="row-more" dir="auto">
          {statusText(id)}
        </span>
      </span>
    </a>
  );
}

/** Who matches the search, page by page. */
function useFound(search: string) {
  const [found, setFound] = useState<Found>();
  const [problem, setProblem] = useState<Problem>();
  const [tries, setTries] = useState(0);
  // Once the snapshot has come a failed search is worth another try.
  useEffect(() => {
    let isOver = false;
    const timer = setTimeout(
      () => {
        findPeople(search.trim()).then(
          (next) => {
            if (isOver) return;
            setFound(next);
            setProblem(undefined);
          },
          (error: unknown) => {
            if (!isOver) setProblem(problemOf(error));
          },
        );
      },
      search ? SEARCH_AFTER_MS : 0,
    );
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [search, tries, isLoaded.value]);
  const more = (): void => {
    if (!found?.next) return;
    findPeople(search.trim(), found.next).then(
      (next) => setFound({ users: [...found.users, ...next.users], next: next.next }),
      (error: unknown) => setProblem(problemOf(error)),
    );
  };
  return { found, problem, more, again: () => setTries(tries + 1) };
}
