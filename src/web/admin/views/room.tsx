import type { Message } from "../../../client/index.ts";
import { Trouble } from "../../views/trouble.tsx";
import { api } from "../api.ts";
import { goTo } from "../route.ts";
import { useOne, usePages } from "../use-pages.ts";
import type { AdminRoom } from "../views.ts";
import { Card, type Column, List, many, Sheet, Time, UserLink } from "./bits.tsx";
import { confirm } from "./confirm.tsx";
import { Facts } from "./overview.tsx";
import { kindOf, nameOf } from "./rooms.tsx";

/** One room: who is in it, and of a group what is said in it. */
export function Room({ id }: { id: string }) {
  const { one: room, problem, again } = useOne(() => api.room(id), id);
  if (!room) {
    return (
      <Sheet title="Room">
        {problem ? <Trouble problem={problem} again={again} /> : <p class="list-note">Loading…</p>}
      </Sheet>
    );
  }
  const name = nameOf(room);
  const drop = () =>
    confirm({
      title: `Delete ${name}?`,
      verb: "Delete the room",
      children: <p>All that was said in it is gone, for all of its {many(room.member_count)} members and for good.</p>,
      async work() {
        await api.deleteRoom(room.id);
        goTo("rooms");
        return `${name} is deleted.`;
      },
    });
  return (
    <Sheet
      title={<bdi>{name}</bdi>}
      actions={
        room.kind === "group" && (
          <button type="button" class="button danger" onClick={drop}>
            Delete the room
          </button>
        )
      }
    >
      <div class="cards">
        <Card title="Room">
          <Facts
            facts={[
              ["Kind", kindOf(room)],
              ["Id", room.id],
              ["Messages", many(room.message_count)],
              ["Since", <Time key="since" at={room.created_at} />],
              ["Last message", <Time key="last" at={room.last_message_at} none="none yet" />],
            ]}
          />
        </Card>
        <Members room={room} />
      </div>
      {room.kind === "group" ? (
        <Messages room={room} />
      ) : (
        <Card title="Messages">
          <p class="muted">
            What two people say to each other is not shown here. A message that was reported is found by its id, under
            Messages.
          </p>
        </Card>
      )}
    </Sheet>
  );
}

function Members({ room }: { room: AdminRoom }) {
  const more = room.member_count - room.members.length;
  return (
    <Card title={`Members (${many(room.member_count)})`}>
      <ul class="lines scrolls" aria-label="Members">
        {room.members.map((member) => (
          <li key={member.id}>
            <UserLink user={member} />
            <span class="muted">{member.role === "owner" ? "owner" : ""}</span>
          </li>
        ))}
      </ul>
      {more > 0 && <p class="muted">and {many(more)} more</p>}
    </Card>
  );
}

function Messages({ room }: { room: AdminRoom }) {
  const pages = usePages((before) => api.messages(room.id, before), room.id);
  const drop = ({ id, sender }: Message) =>
    confirm({
      title: "Delete this message?",
      verb: "Delete the message",
      children: <p>What {sender.username} said here is gone for everybody, and for good.</p>,
      async work() {
        await api.deleteMessage(id);
        pages.again();
        return "The message is deleted.";
      },
    });
  const columns: readonly Column<Message>[] = [
    { name: "When", cell: (message) => <Time at={message.created_at} />, isExtra: true },
    { name: "Who", cell: (message) => <UserLink user={message.sender} /> },
    {
      name: "What",
      cell: (message) =>
        message.deleted_at ? (
          <span class="muted">deleted</span>
        ) : (
          <p class="said" dir="auto">
            {message.text}
          </p>
        ),
    },
    {
      name: "Do",
      cell: (message) =>
        !message.deleted_at && (
          <button type="button" class="button small danger" onClick={() => drop(message)}>
            Delete
          </button>
        ),
    },
  ];
  return (
    <Card title="Messages">
      <List label="Messages" pages={pages} columns={columns} keyOf={({ id }) => id} empty="Nothing was said yet." />
    </Card>
  );
}
