import { useEffect, useState } from "preact/hooks";
import { client, hasExpired, isDemo } from "../client.ts";
import icon from "../icon.svg";
import { closeDialog } from "./dialog.tsx";
import { Field, FormProblem } from "./field.tsx";
import { givenText, textOf, useSubmit } from "./use-submit.ts";

export function SignIn() {
  const [isNew, setNew] = useState(false);
  // One that was open when the session ended belongs to whoever had it.
  useEffect(closeDialog, []);
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <header>
          <img src={icon} alt="" width="48" height="48" />
          <h1>Parley</h1>
          <p>{isNew ? "Make an account and say hello." : "Nothing lost, nothing repeated."}</p>
        </header>
        {hasExpired.value && !isNew && (
          <p class="notice" role="status">
            Your session has ended. Sign in again, and go on where you were.
          </p>
        )}
        {isNew ? <SignUpForm /> : <SignInForm />}
        <p class="other-way">
          {isNew ? "You have an account?" : "New here?"}{" "}
          <button type="button" class="link" onClick={() => setNew(!isNew)}>
            {isNew ? "Sign in" : "Make an account"}
          </button>
        </p>
        {isDemo && !isNew && <DemoHint />}
      </div>
    </main>
  );
}

const isEmail = (name: string): boolean => /^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(name);

function SignInForm() {
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    const name = textOf(data, "username").trim();
    const password = textOf(data, "password");
    await client.logIn(isEmail(name) ? { email: name, password } : { username: name, password });
  });
  return (
    <form onSubmit={submit} noValidate>
      <Field
        label="Username or e-mail"
        name="username"
        problem={problem}
        autoComplete="username"
        autoCapitalize="none"
      />
      <Field label="Password" name="password" problem={problem} type="password" autoComplete="current-password" />
      <FormProblem problem={problem} fields={["username", "password"]} />
      <button type="submit" class="button primary" disabled={isBusy}>
        Sign in
      </button>
    </form>
  );
}

function SignUpForm() {
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    await client.signUp({
      username: textOf(data, "username"),
      password: textOf(data, "password"),
      email: givenText(data, "email"),
    });
  });
  return (
    <form onSubmit={submit} noValidate>
      <Field
        label="Username"
        name="username"
        problem={problem}
        autoComplete="username"
        autoCapitalize="none"
        hint="3 to 32 letters, digits or @ . + - _"
      />
      <Field
        label="Password"
        name="password"
        problem={problem}
        type="password"
        autoComplete="new-password"
        hint="8 characters at least"
      />
      <Field label="E-mail (if you like)" name="email" problem={problem} type="email" autoComplete="email" />
      <FormProblem problem={problem} fields={["username", "password", "email"]} />
      <button type="submit" class="button primary" disabled={isBusy}>
        Make the account
      </button>
    </form>
  );
}

const DEMO_USER = "user_1";
const DEMO_PASSWORD = "Passw0rd!";

/** Only where demo mode is on and its people are there: then their password is no secret. */
function DemoHint() {
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    client.users.list({ username: DEMO_USER, limit: 1 }).then(
      ({ users }) => setThere(users.length > 0),
      () => {}, // without an answer there is no hint
    );
  }, []);
  if (!isThere) return null;
  return (
    <p class="notice">
      Demo mode: <b>user_1</b> to <b>user_15</b>, <b>alice</b>, <b>bob</b> and <b>charlie</b> are there; the password of
      all is <code>{DEMO_PASSWORD}</code>. Open a private window to be two of them. <b>alice</b> is also an admin, whose
      desk is at <a href="/admin">/admin</a>.
    </p>
  );
}
