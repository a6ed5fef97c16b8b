import { Problem } from "../../../client/index.ts";
import { Field, FormProblem } from "../../views/field.tsx";
import { Trouble } from "../../views/trouble.tsx";
import { textOf, useSubmit } from "../../views/use-submit.ts";
import { api } from "../api.ts";
import { goTo, linkTo } from "../route.ts";
import { useOne } from "../use-pages.ts";
import { Card, Sheet, Time, UserLink } from "./bits.tsx";
import { confirm } from "./confirm.tsx";
import { Facts } from "./overview.tsx";

/** A message that somebody has reported, found by its id. */
export function Reported({ id }: { id: string | undefined }) {
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    const wanted = textOf(data, "id").trim().toLowerCase();
    if (!/^[0-9a-f-]{36}$/.test(wanted)) throw notAnId;
    goTo("messages", wanted);
  });
  return (
    <Sheet title="Messages">
      <Card title="Find a message">
        <form class="find" onSubmit={submit} noValidate>
          <Field
            label="Message id"
            name="id"
            problem={problem}
            defaultValue={id ?? ""}
            autoComplete="off"
            hint="As a report names it. What is said in a group is also listed with its room."
          />
          <FormProblem problem={problem} fields={["id"]} />
          <button type="submit" class="button primary" disabled={isBusy}>
            Find
          </button>
        </form>
      </Card>
      {id && <Found id={id} />}
    </Sheet>
  );
}

const notAnId = new Problem({
  ...{ status: 0, code: "validation_failed", title: "The request is not valid", detail: "id: is not an id" },
  errors: [{ field: "id", message: "is not the id of a message: 36 characters, with dashes" }],
});

function Found({ id }: { id: string }) {
  const { one: message, problem, again } = useOne(() => api.reported(id), id);
  if (!message) return problem ? <Trouble problem={problem} again={again} /> : <p class="list-note">Loading…</p>;
  const { room, sender } = message;
  const drop = () =>
    confirm({
      title: "Delete this message?",
      verb: "Delete the message",
      children: <p>What {sender.username} said is gone for everybody, and for good.</p>,
      async work() {
        await api.deleteMessage(id);
        again();
        return "The message is deleted.";
      },
    });
  return (
    <Card title="Message">
      <Facts
        facts={[
          ["Sent by", <UserLink key="who" user={sender} />],
          [
            "In",
            <a key="where" href={linkTo("rooms", room.id)}>
              <bdi>{room.name ?? "a direct room"}</bdi>
            </a>,
          ],
          ["Sent", <Time key="when" at={message.accepted_at} />],
          ["Deleted", <Time key="gone" at={message.deleted_at} none="no" />],
          [
            "Text",
            message.text === null ? <span class="muted">not shown</span> : <bdi class="said">{message.text}</bdi>,
          ],
        ]}
      />
      {!message.deleted_at && (
        <button type="button" class="button danger" onClick={drop}>
          Delete the message
        </button>
      )}
    </Card>
  );
}
