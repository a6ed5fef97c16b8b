import { useEffect, useState } from "preact/hooks";
import type { User } from "../../client/index.ts";
import { findPeople } from "../live/people.ts";
import { state } from "../live/store.ts";

interface Props {
  readonly label: string;
  readonly except: readonly number[];
}

/** Boxes to tick, as `member_ids` of the form around it; who is ticked stays in the list whatever is searched. */
export function PickPeople({ label, except }: Props) {
  const [search, setSearch] = useState("");
  const [found, setFound] = useState<readonly User[]>([]);
  const [picked, setPicked] = useState<readonly User[]>([]);
  useEffect(() => {
    let isOver = false;
    findPeople(search.trim()).then(
      ({ users }) => !isOver && setFound(users),
      () => {}, // what is found already stays
    );
    return () => {
      isOver = true;
    };
  }, [search]);
  const isPicked = ({ id }: User): boolean => picked.some((user) => user.id === id);
  const out = new Set([...except, state.value.meId]);
  const shown = [...picked, ...found.filter((user) => !isPicked(user) && !out.has(user.id))];
  const toggle = (user: User): void =>
    setPicked(isPicked(user) ? picked.filter(({ id }) => id !== user.id) : [...picked, user]);
  return (
    <fieldset class="pick">
      <legend>{label}</legend>
      <input
        type="search"
        class="search"
        aria-label={`Search ${label.toLowerCase()}`}
        placeholder="Search people"
        value={search}
        onInput={(event) => setSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.preventDefault(); // it would send the form
        }}
      />
      <ul>
        {shown.map((user) => (
          <li key={user.id}>
            <label class="check">
              <input
                type="checkbox"
                name="member_ids"
                value={user.id}
                checked={isPicked(user)}
                onChange={() => toggle(user)}
              />
              <bdi>{user.username}</bdi>
            </label>
          </li>
        ))}
        {shown.length === 0 && <li class="hint">Nobody found</li>}
      </ul>
    </fieldset>
  );
}
