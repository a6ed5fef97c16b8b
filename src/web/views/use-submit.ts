import { useState } from "preact/hooks";
import type { Problem } from "../../client/index.ts";
import { problemOf } from "../client.ts";

interface Submit {
  readonly problem: Problem | undefined;
  readonly isBusy: boolean;
  readonly submit: (event: SubmitEvent) => void;
}

/** What every form does: works once at a time, and keeps what went wrong for its fields to show. */
export function useSubmit(work: (data: FormData) => Promise<void>): Submit {
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isBusy) return;
    const form = event.target as HTMLFormElement;
    setBusy(true);
    setProblem(undefined);
    try {
      await work(new FormData(form));
    } catch (error) {
      setProblem(problemOf(error));
      // After the next render, when the fields know that they are wrong.
      setTimeout(() => form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
    } finally {
      setBusy(false);
    }
  };
  return { problem, isBusy, submit: (event) => void submit(event) };
}

export const textOf = (data: FormData, name: string): string => String(data.get(name) ?? "");
export const givenText = (data: FormData, name: string): string | undefined => textOf(data, name).trim() || undefined;
