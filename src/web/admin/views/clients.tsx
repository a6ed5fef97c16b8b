import { useState } from "preact/hooks";
import { Dialog, openDialog } from "../../views/dialog.tsx";
import { Field, FormProblem } from "../../views/field.tsx";
import { textOf, useSubmit } from "../../views/use-submit.ts";
import { api } from "../api.ts";
import { linkTo } from "../route.ts";
import { usePages } from "../use-pages.ts";
import type { ApiClient } from "../views.ts";
import { type Column, List, Sheet, Time } from "./bits.tsx";
import { confirm } from "./confirm.tsx";

/** Servers that speak for their users, and their keys. */
export function Clients() {
  const pages = usePages(async () => ({ items: await api.clients(), next: null }), "clients");
  const revoke = ({ id, name }: ApiClient) =>
    confirm({
      title: `Revoke the key of ${name}?`,
      verb: "Revoke",
      children: <p>Whatever uses it is refused from now on. A revoked key does not come back.</p>,
      async work() {
        await api.revokeClient(id);
        pages.again();
        return `The key of ${name} is revoked.`;
      },
    });
  const columns: readonly Column<ApiClient>[] = [
    { name: "Client", cell: (client) => <bdi>{client.name}</bdi> },
    { name: "May", cell: (client) => client.scopes.join(", ") },
    {
      name: "Made by",
      cell: ({ created_by }) => created_by !== null && <a href={linkTo("users", created_by)}>user {created_by}</a>,
      isExtra: true,
    },
    { name: "Since", cell: (client) => <Time at={client.created_at} />, isExtra: true },
    { name: "Last used", cell: (client) => <Time at={client.last_used_at} />, isExtra: true },
    {
      name: "Do",
      cell: (client) => (
        <button type="button" class="button small danger" onClick={() => revoke(client)}>
          Revoke
        </button>
      ),
    },
  ];
  const make = (
    <button type="button" class="button primary" onClick={() => openDialog(<NewKey onMade={pages.again} />)}>
      New key
    </button>
  );
  return (
    <Sheet title="Clients" actions={make}>
      <List label="Clients" pages={pages} columns={columns} keyOf={({ id }) => id} empty="No server has a key yet." />
    </Sheet>
  );
}

const scopes = {
  read: "Read what the user may read",
  write: "Send and change in the user's name",
  admin: "Do what an admin may, for a user who is one",
} as const;

function NewKey({ onMade }: { onMade: () => void }) {
  const [key, setKey] = useState<string>();
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    const { api_key } = await api.createClient(textOf(data, "name"), data.getAll("scopes").map(String));
    setKey(api_key);
    onMade();
  });
  if (key !== undefined) return <ShownOnce secret={key} />;
  return (
    <Dialog title="New key">
      <form onSubmit={submit} noValidate>
        <Field label="Name" name="name" problem={problem} autoComplete="off" hint="Of the server that will use it" />
        <fieldset class="pick">
          <legend>It may</legend>
          {Object.entries(scopes).map(([scope, words]) => (
            <label key={scope} class="check">
              <input type="checkbox" name="scopes" value={scope} defaultChecked={scope !== "admin"} />
              {words}
            </label>
          ))}
        </fieldset>
        <FormProblem problem={problem} fields={["name"]} />
        <div class="actions">
          <span />
          <button type="submit" class="button primary" disabled={isBusy}>
            Make the key
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function ShownOnce({ secret }: { secret: string }) {
  const [words, setWords] = useState("");
  const copy = async (): Promise<void> => {
    const isCopied = await navigator.clipboard.writeText(secret).then(
      () => true,
      () => false,
    );
    setWords(isCopied ? "Copied." : "The browser does not let this page copy: mark it and copy it by hand.");
  };
  return (
    <Dialog title="The new key">
      <p>It is shown this once: only a hash of it is kept. Send it as the header X-API-Key.</p>
      <p>
        <code class="secret">{secret}</code>
      </p>
      <div class="actions">
        <span role="status" class="muted">
          {words}
        </span>
        <button type="button" class="button primary" onClick={() => void copy()}>
          Copy
        </button>
      </div>
    </Dialog>
  );
}
