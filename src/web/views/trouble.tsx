import type { Problem } from "../../client/index.ts";

/** In place of a list that could not be read. */
export const Trouble = ({ problem, again }: { problem: Problem; again: () => void }) => (
  <div class="list-note" role="alert">
    <p>{problem.detail}</p>
    <button type="button" class="button small" onClick={again}>
      Try again
    </button>
  </div>
);
