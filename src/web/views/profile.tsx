import type { UserStatus } from "../../client/index.ts";
import { client, session } from "../client.ts";
import { goTo } from "../route.ts";
import { closeDialog, Dialog } from "./dialog.tsx";
import { Field, FormProblem, Labelled } from "./field.tsx";
import { textOf, useSubmit } from "./use-submit.ts";

/** Whether one is there is seen by the server; what one says of oneself is this. */
const statuses: Readonly<Record<UserStatus, string>> = { Online: "Available", Busy: "Busy", Offline: "No status" };
const fields = ["status", "status_message", "first_name", "last_name"];

/** What others see of me, and the way out. */
export function Profile() {
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    await client.updateMe({
      status: textOf(data, "status") as UserStatus,
      status_message: textOf(data, "status_message") || null,
      first_name: textOf(data, "first_name"),
      last_name: textOf(data, "last_name"),
    });
    session.value = client.session;
    closeDialog();
  });
  const user = session.value?.user;
  if (!user) return null;
  return (
    <Dialog title={user.username}>
      <form onSubmit={submit} noValidate>
        <Labelled label="Status" name="status" problem={problem}>
          {(ids) => (
            <select name="status" {...ids}>
              {Object.entries(statuses).map(([status, name]) => (
                <option key={status} value={status} selected={status === user.status}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Labelled>
        <Field
          label="Status message"
          name="status_message"
          problem={problem}
          defaultValue={user.status_message ?? ""}
          dir="auto"
        />
        <Field
          label="First name"
          name="first_name"
          problem={problem}
          defaultValue={user.first_name}
          autoComplete="given-name"
        />
        <Field
          label="Last name"
          name="last_name"
          problem={problem}
          defaultValue={user.last_name}
          autoComplete="family-name"
        />
        {user.is_admin && <a href="/admin">The admin's desk</a>}
        <FormProblem problem={problem} fields={fields} />
        <div class="actions">
          <button type="button" class="button" onClick={signOut}>
            Sign out
          </button>
          <button type="submit" class="button primary" disabled={isBusy}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function signOut(): void {
  closeDialog();
  goTo(undefined);
  void client.logOut();
}
