import { isCutOff, status } from "../live/connection.ts";
import { follow } from "../live/follow.ts";

/** Says that the server can't be reached, for as long as that is so. */
export function Banner() {
  const problem = status.value?.lastProblem;
  return (
    <div role="status" class="banner-place">
      {isCutOff.value && (
        <div class="banner">
          <p>
            <strong>{navigator.onLine ? "The server can't be reached." : "You are offline."}</strong> What you write is
            kept and sent once the connection is back.
            {problem && problem.code !== "unreachable" && ` (${problem.title})`}
          </p>
          <button type="button" class="button small" onClick={follow}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}
