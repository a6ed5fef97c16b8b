import type { ComponentChildren } from "preact";
import { closeDialog, Dialog, openDialog } from "../../views/dialog.tsx";
import { FormProblem } from "../../views/field.tsx";
import { useSubmit } from "../../views/use-submit.ts";
import { said } from "../live.ts";

interface Question {
  readonly title: string;
  readonly children?: ComponentChildren;
  /** What the button says that does it. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  /** Answers what is told when it is done. */
  readonly work: (data: FormData) => Promise<string>;
}

/** Nothing is destroyed, and nobody sent away, by a slip of the finger. */
export function confirm(question: Question): void {
  openDialog(<Confirm {...question} />);
}

function Confirm({ title, children, verb, isDangerous = true, work }: Question) {
  const { problem, isBusy, submit } = useSubmit(async (data) => {
    said.value = await work(data);
    closeDialog();
  });
  return (
    <Dialog title={title}>
      <form onSubmit={submit} noValidate>
        {children}
        <FormProblem problem={problem} fields={[]} />
        <div class="actions">
          <button type="button" class="button" onClick={closeDialog}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? "button destroys" : "button primary"} disabled={isBusy}>
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
