import { isLoaded, state } from "../live/store.ts";
import { linkTo, target } from "../route.ts";
import { shortTime } from "../state/days.ts";
import { peerOf, sortedRooms, titleOf, typersIn } from "../state/select.ts";
import type { RoomState } from "../state/state.ts";
import { Avatar, availability } from "./avatar.tsx";
import { Badge, showTab } from "./sidebar.tsx";

export function Rooms() {
  const rooms = sortedRooms(state.value);
  if (!isLoaded.value && rooms.length === 0) return <p class="list-note">Loading…</p>;
  if (rooms.length === 0) return <NoRooms />;
  return (
    <ul class="list" aria-label="Chats">
      {rooms.map((room) => (
        <li key={room.id}>
          <RoomRow room={room} />
        </li>
      ))}
    </ul>
  );
}

const NoRooms = () => (
  <div class="list empty">
    <h2>No chats yet</h2>
    <p>Find somebody to talk to, or a group to join.</p>
    <button type="button" class="button" onClick={() => showTab("People")}>
      Find people
    </button>
    <button type="button" class="button" onClick={() => showTab("Groups")}>
      See groups
    </button>
  </div>
);

function RoomRow({ room }: { room: RoomState }) {
  const { meId } = state.value;
  const peer = peerOf(room, meId);
  const open = target.value;
  const isOpen = open !== undefined && ("room" in open ? open.room === room.id : open.to === peer?.id);
  const title = titleOf(room, meId);
  return (
    <a class="row" href={linkTo({ room: room.id })} aria-current={isOpen ? "page" : undefined}>
      <Avatar name={title} id={peer?.id ?? room.id} userId={peer?.id} />
      <span class="row-text">
        <span class="row-line">
          <bdi class="row-title">{title}</bdi>
          {peer && <span class="unseen-text"> ({availability(peer.id)})</span>}
          {room.lastMessage && <time class="row-time">{shortTime(room.lastMessage.created_at)}</time>}
        </span>
        <span class="row-line">
          <Preview room={room} />
          <Badge count={room.unseenCount} of="unseen" />
        </span>
      </span>
    </a>
  );
}

function Preview({ room }: { room: RoomState }) {
  const { meId } = state.value;
  const [typer] = typersIn(state.value, room);
  if (typer) {
    return (
      <span class="row-more typing">
        <bdi>{typer}</bdi> is typing…
      </span>
    );
  }
  const last = room.lastMessage;
  if (!last) return <span class="row-more">Nothing was said yet</span>;
  const who = last.sender.id === meId ? "You" : room.kind === "group" ? last.sender.username : undefined;
  return (
    <span class="row-more">
      {who && (
        <>
          <bdi>{who}</bdi>:{" "}
        </>
      )}
      <bdi>{last.deleted_at ? "deleted" : last.text}</bdi>
    </span>
  );
}
