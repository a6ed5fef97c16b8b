import { useState } from "preact/hooks";
import { api } from "../api.ts";
import { linkTo } from "../route.ts";
import { usePages } from "../use-pages.ts";
import type { AdminRoom } from "../views.ts";
import { type Column, List, many, Sheet, Time } from "./bits.tsx";
import { Search } from "./search.tsx";

const kinds = { "": "All rooms", group: "Groups", direct: "Direct rooms" };

/** A direct room has no name of its own. */
export const nameOf = ({ name, members }: AdminRoom): string =>
  name ?? members.map(({ username }) => username).join(" and ");

export const kindOf = ({ kind, is_public }: AdminRoom): string =>
  kind === "direct" ? "Direct" : is_public ? "Public group" : "Private group";

export const roomColumns: readonly Column<AdminRoom>[] = [
  {
    name: "Room",
    cell: (room) => (
      <a href={linkTo("rooms", room.id)}>
        <bdi>{nameOf(room)}</bdi>
      </a>
    ),
  },
  { name: "Kind", cell: kindOf },
  { name: "Members", cell: (room) => many(room.member_count), isExtra: true, isNumber: true },
  { name: "Messages", cell: (room) => many(room.message_count), isNumber: true },
  { name: "Last message", cell: (room) => <Time at={room.last_message_at} none="none yet" />, isExtra: true },
];

export function Rooms() {
  const [q, setQ] = useState("");
  const [kind, setKind] = useState("");
  const pages = usePages((after) => api.rooms(q, kind, undefined, after), `${kind} ${q}`);
  return (
    <Sheet title="Rooms">
      <Search
        label="Search by name or id"
        onSearch={setQ}
        filter={{ label: "Which rooms", options: kinds, set: setKind }}
      />
      <List label="Rooms" pages={pages} columns={roomColumns} keyOf={({ id }) => id} empty="No room is found." />
    </Sheet>
  );
}
