import { useEffect } from "preact/hooks";
import { status } from "../live/connection.ts";
import { loading, openRoom } from "../live/history.ts";
import { meetOne, people } from "../live/people.ts";
import { isLoaded, state } from "../live/store.ts";
import { linkTo, replaceWith } from "../route.ts";
import { directRoomWith, peerOf, titleOf, typersIn } from "../state/select.ts";
import type { RoomState, Target } from "../state/state.ts";
import { Avatar, statusText } from "./avatar.tsx";
import { Composer } from "./composer.tsx";
import { openDialog } from "./dialog.tsx";
import { GroupDetails } from "./group-details.tsx";
import { Icon } from "./icons.tsx";
import { MessageList } from "./message-list.tsx";
import { OutgoingList } from "./outgoing.tsx";

/** A room, or a person with whom there is no room yet: it is made with the first message. */
export function Conversation({ target }: { target: Target }) {
  const { meId } = state.value;
  const room = "room" in target ? state.value.rooms.get(target.room) : directRoomWith(state.value, target.to);
  const peerId = "to" in target ? target.to : room && peerOf(room, meId)?.id;
  const roomId = room?.id;
  useEffect(() => {
    if ("to" in target && roomId !== undefined) replaceWith({ room: roomId });
    if (peerId !== undefined) void meetOne(peerId);
  }, [linkTo(target), peerId, roomId]);
  if (!room && (peerId === undefined || peerId === meId)) {
    return isLoaded.value ? <Unknown /> : <div class="conversation" aria-busy="true" />;
  }
  // Known by the person and not by the room: what is being written must not notice that there is one now.
  const to: Target = peerId === undefined ? { room: roomId! } : { to: peerId };
  const title = room ? titleOf(room, meId) : (people.value.get(peerId!)?.username ?? `User ${peerId}`);
  return (
    <section class="conversation" aria-label={title} key={linkTo(to)}>
      <Head title={title} room={room} peerId={peerId} />
      {room ? <Said room={room} /> : <NothingSaid name={title} target={to} />}
      <Typing names={room ? typersIn(state.value, room) : []} />
      <Composer target={to} roomId={roomId} />
    </section>
  );
}

const Unknown = () => (
  <section class="conversation" aria-label="Not found">
    <div class="empty">
      <h2>This conversation is not yours to see</h2>
      <p>You may have left it, or it was deleted.</p>
      <a class="button" href={linkTo(undefined)}>
        Back to the chats
      </a>
    </div>
  </section>
);

function Head({ title, room, peerId }: { title: string; room: RoomState | undefined; peerId: number | undefined }) {
  return (
    <header class="conversation-head">
      <a class="icon-button back" href={linkTo(undefined)} aria-label="Back to the chats">
        <Icon name="back" />
      </a>
      <Avatar name={title} id={peerId ?? room!.id} userId={peerId} />
      <div class="row-text">
        <h2 class="row-title">
          <bdi>{title}</bdi>
        </h2>
        <p class="row-more" dir="auto">
          {peerId === undefined ? membersText(room!) : statusText(peerId)}
        </p>
      </div>
      {room?.kind === "group" && (
        <button
          type="button"
          class="icon-button"
          aria-label="About this group"
          onClick={() => openDialog(<GroupDetails roomId={room.id} />)}
        >
          <Icon name="people" />
        </button>
      )}
    </header>
  );
}

function Said({ room }: { room: RoomState }) {
  const isLive = status.value?.state === "live";
  const hasHistory = room.history !== undefined;
  useEffect(() => {
    // Also when the connection is back, in case it was missing when this was tried first.
    if (!hasHistory) void openRoom(room.id);
  }, [room.id, hasHistory, isLive]);
  return room.history ? <MessageList room={room} history={room.history} /> : <HistoryNote roomId={room.id} />;
}

const membersText = (room: RoomState): string =>
  `${room.isPublic ? "Public" : "Private"} group · ${room.members.length} ${room.members.length === 1 ? "member" : "members"}`;

function HistoryNote({ roomId }: { roomId: number }) {
  const what = loading.value.get(roomId);
  return (
    <div class="messages-place">
      <div class="empty">
        {what === undefined || what === "loading" ? (
          <p>Loading…</p>
        ) : (
          <>
            <p role="alert">{what.detail}</p>
            <button type="button" class="button" onClick={() => void openRoom(roomId)}>
              Try again
            </button>
          </>
        )}
      </div>
    </div>
  );
}

function Typing({ names }: { names: readonly string[] }) {
  return (
    <p class="typing-line">
      {names.length > 0 && (
        <>
          <span class="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <bdi>{names.slice(0, 3).join(", ")}</bdi> {names.length === 1 ? "is" : "are"} typing…
        </>
      )}
    </p>
  );
}

const NothingSaid = ({ name, target }: { name: string; target: Target }) => (
  <div class="messages-place">
    <div class="messages" data-first>
      <div class="empty">
        <h2>
          Say hello to <bdi>{name}</bdi>
        </h2>
        <p>The first message opens the conversation.</p>
      </div>
      <OutgoingList target={target} />
    </div>
  </div>
);
