import { client } from "../client.ts";
import type { RoomState } from "../state/state.ts";
import { Field, FormProblem } from "./field.tsx";
import { textOf, useSubmit } from "./use-submit.ts";

/** What its owner may change. The page hears of it through the feed, like everybody else. */
export function OwnGroup({ room }: { room: RoomState }) {
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    await client.rooms.update(room.id, { name: textOf(data, "name"), is_public: data.get("is_public") !== null });
  });
  return (
    <details class="own-group">
      <summary>Rename, or open to all</summary>
      <form onSubmit={submit} noValidate>
        <Field
          label="Name"
          name="name"
          problem={problem}
          defaultValue={room.name ?? ""}
          dir="auto"
          autoComplete="off"
        />
        <label class="check">
          <input type="checkbox" name="is_public" defaultChecked={room.isPublic} /> Public: anybody may join
        </label>
        <FormProblem problem={problem} fields={["name"]} />
        <button type="submit" class="button" disabled={isBusy}>
          Save
        </button>
      </form>
    </details>
  );
}
