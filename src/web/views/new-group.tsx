import { client } from "../client.ts";
import { goTo } from "../route.ts";
import { closeDialog, Dialog } from "./dialog.tsx";
import { Field, FormProblem, messageFor } from "./field.tsx";
import { PickPeople } from "./pick-people.tsx";
import { textOf, useSubmit } from "./use-submit.ts";

export function NewGroup() {
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    const room = await client.rooms.create({
      name: textOf(data, "name"),
      is_public: data.get("is_public") !== null,
      member_ids: data.getAll("member_ids").map(Number),
    });
    closeDialog();
    goTo({ room: room.id });
  });
  const wrongMembers = messageFor(problem, "member_ids");
  return (
    <Dialog title="New group">
      <form onSubmit={submit} noValidate>
        <Field label="Name" name="name" problem={problem} maxLength={100} dir="auto" autoComplete="off" />
        <label class="check">
          <input type="checkbox" name="is_public" /> Public: anybody may join
        </label>
        <PickPeople label="Members" except={[]} />
        {wrongMembers && <p class="wrong">{wrongMembers}</p>}
        <FormProblem problem={problem} fields={["name", "member_ids"]} />
        <div class="actions">
          <button type="button" class="button" onClick={closeDialog}>
            Cancel
          </button>
          <button type="submit" class="button primary" disabled={isBusy}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}
