import type { ComponentChildren, InputHTMLAttributes } from "preact";
import { useId } from "preact/hooks";
import type { Problem } from "../../client/index.ts";

interface Labelled {
  readonly label: string;
  /** As the API calls it in a problem. */
  readonly name: string;
  readonly problem: Problem | undefined;
  readonly hint?: string;
}

interface InputProps extends Labelled {
  readonly type?: "text" | "password" | "email";
  readonly autoComplete?: AutoFill;
  readonly autoCapitalize?: "none";
  readonly maxLength?: number;
  readonly dir?: "auto";
  readonly defaultValue?: string;
}

type AutoFill = "off" | "username" | "current-password" | "new-password" | "email" | "given-name" | "family-name";

/** A field with its name above it and what is wrong with it below. */
export function Field({ label, name, problem, hint, ...input }: InputProps) {
  return (
    <Labelled label={label} name={name} problem={problem} {...(hint !== undefined && { hint })}>
      {(ids) => <input {...({ name, ...ids, ...input } as InputHTMLAttributes<HTMLInputElement>)} />}
    </Labelled>
  );
}

interface Ids {
  readonly id: string;
  readonly "aria-invalid"?: "true";
  readonly "aria-describedby"?: string;
}

export function Labelled({
  label,
  name,
  problem,
  hint,
  children,
}: Labelled & { children: (ids: Ids) => ComponentChildren }) {
  const id = useId();
  const wrong = messageFor(problem, name);
  const about = wrong ? `${id}-wrong` : hint && `${id}-hint`;
  const ids = { id, ...(wrong && { "aria-invalid": "true" as const }), ...(about && { "aria-describedby": about }) };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(ids)}
      {hint && !wrong && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {wrong && (
        <p class="wrong" id={`${id}-wrong`}>
          {wrong}
        </p>
      )}
    </div>
  );
}

/** Some problems are about one field without saying so in a list. */
const fieldOfCode: Readonly<Record<string, string>> = {
  username_taken: "username",
  email_taken: "email",
  room_name_taken: "name",
  wrong_credentials: "password",
};

export function messageFor(problem: Problem | undefined, name: string): string | undefined {
  if (!problem) return undefined;
  const about = problem.errors.filter(({ field }) => field === name || field.startsWith(`${name}.`));
  if (about.length > 0) return sentence(about.map(({ message }) => message).join("; "));
  return problem.errors.length === 0 && fieldOfCode[problem.code] === name ? sentence(problem.detail) : undefined;
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What is wrong and belongs to none of the fields of this form. */
export function FormProblem({ problem, fields }: { problem: Problem | undefined; fields: readonly string[] }) {
  const isTold = problem && fields.some((name) => messageFor(problem, name) !== undefined);
  return (
    <div role="alert" class="form-problem">
      {problem && !isTold && <p>{problem.code === "unreachable" ? `${problem.title}. Try again.` : problem.detail}</p>}
    </div>
  );
}
