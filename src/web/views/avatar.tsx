import { people } from "../live/people.ts";
import { state } from "../live/store.ts";

const HUES = 8;

/** Two letters and a colour that is always the same for the same one. */
export const Avatar = ({ name, id, userId }: { name: string; id: number; userId?: number | undefined }) => (
  <span class={`avatar hue-${id % HUES}`} aria-hidden="true">
    {initialsOf(name)}
    {userId !== undefined && <span class={`dot ${availability(userId)}`} />}
  </span>
);

/** `user_12` is U2, `IsaiahTobi` IT, `family` FA. */
function initialsOf(name: string): string {
  const [first = "?", ...rest] = name.match(/\p{Lu}?\p{Ll}+|\p{L}+|\p{N}+/gu) ?? [];
  const last = rest.at(-1);
  const second = last === undefined ? [...first][1] : /\p{N}/u.test(last) ? last.slice(-1) : [...last][0];
  return ([...first][0]! + (second ?? "")).toUpperCase();
}

type Availability = "online" | "busy" | "offline";

/** Who is there is what the server sees; whether they are busy is what they say. */
export function availability(userId: number): Availability {
  if (!state.value.online.has(userId)) return "offline";
  return people.value.get(userId)?.status === "Busy" ? "busy" : "online";
}

/** The dot in words, and what they say themselves. */
export function statusText(userId: number): string {
  const said = people.value.get(userId)?.status_message;
  return said ? `${availability(userId)} · ${said}` : availability(userId);
}
