import { useState } from "preact/hooks";
import { client, problemOf } from "../client.ts";
import { state } from "../live/store.ts";
import { goTo } from "../route.ts";
import { titleOf } from "../state/select.ts";
import type { MemberState, RoomState } from "../state/state.ts";
import { Avatar, statusText } from "./avatar.tsx";
import { closeDialog, Dialog } from "./dialog.tsx";
import { FormProblem } from "./field.tsx";
import { OwnGroup } from "./own-group.tsx";
import { PickPeople } from "./pick-people.tsx";
import { useSubmit } from "./use-submit.ts";

/** Who is in a group, and the ways in and out. */
export function GroupDetails({ roomId }: { roomId: number }) {
  const room = state.value.rooms.get(roomId);
  if (!room) return null;
  const { meId } = state.value;
  const isMine = room.members.some(({ id, role }) => id === meId && role === "owner");
  return (
    <Dialog title={titleOf(room, meId)}>
      <ul class="members" aria-label="Members">
        {room.members.map((member) => (
          <MemberRow key={member.id} roomId={roomId} member={member} mayRemove={isMine && member.id !== meId} />
        ))}
      </ul>
      <AddPeople room={room} />
      {isMine && <OwnGroup room={room} />}
      <Leave room={room} />
    </Dialog>
  );
}

function MemberRow({ roomId, member, mayRemove }: { roomId: number; member: MemberState; mayRemove: boolean }) {
  const [wrong, setWrong] = useState<string>();
  const remove = (): void => {
    client.rooms.removeMember(roomId, member.id).catch((error: unknown) => setWrong(problemOf(error).detail));
  };
  const status = member.role === "owner" ? `owner · ${statusText(member.id)}` : statusText(member.id);
  return (
    <li class="row">
      <Avatar name={member.username} id={member.id} userId={member.id} />
      <span class="row-text">
        <bdi class="row-title">{member.username}</bdi>
        <span class="row-more" dir="auto">
          {wrong ?? status}
        </span>
      </span>
      {mayRemove && (
        <button type="button" class="button small" aria-label={`Remove ${member.username}`} onClick={remove}>
          Remove
        </button>
      )}
    </li>
  );
}

function AddPeople({ room }: { room: RoomState }) {
  const [isOpen, setOpen] = useState(false);
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    for (const id of data.getAll("member_ids")) await client.rooms.addMember(room.id, Number(id));
    setOpen(false);
  });
  if (!isOpen) {
    return (
      <button type="button" class="button" onClick={() => setOpen(true)}>
        Add people
      </button>
    );
  }
  return (
    <form onSubmit={submit}>
      <PickPeople label="New members" except={room.members.map(({ id }) => id)} />
      <FormProblem problem={problem} fields={[]} />
      <button type="submit" class="button primary" disabled={isBusy}>
        Add
      </button>
    </form>
  );
}

/** Asked once more: the way back into a private group is not one's own. */
function Leave({ room }: { room: RoomState }) {
  const [isSure, setSure] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const leave = (): void => {
    if (!isSure && !room.isPublic) {
      setSure(true);
      return;
    }
    client.rooms.leave(room.id).then(
      () => {
        closeDialog();
        goTo(undefined);
      },
      (error: unknown) => setWrong(problemOf(error).detail),
    );
  };
  return (
    <div class="leave">
      {wrong && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
      {isSure && <p class="hint">Only a member can bring you back.</p>}
      <button type="button" class="button danger" onClick={leave}>
        {isSure ? "Leave all the same" : "Leave the group"}
      </button>
    </div>
  );
}
