import { useEffect, useRef } from "preact/hooks";
import { Dialog, openDialog } from "../../views/dialog.tsx";
import { Trouble } from "../../views/trouble.tsx";
import { api } from "../api.ts";
import { health, lookNow } from "../live.ts";
import { useOne, usePages } from "../use-pages.ts";
import type { FailedJob } from "../views.ts";
import { type Column, List, many, Sheet, Time } from "./bits.tsx";
import { confirm } from "./confirm.tsx";
import { Facts } from "./overview.tsx";
import { openQueues } from "./queues.ts";

/** What could not be done, why, and another try; it is read again whenever there is more or less of it. */
export function Jobs() {
  const pages = usePages(api.jobs, "jobs");
  const failed = health.value?.queue?.failed;
  const known = useRef(failed);
  useEffect(() => {
    if (failed === undefined) return;
    if (known.current !== undefined && known.current !== failed) pages.again();
    known.current = failed;
  }, [failed]);
  const changed = async (words: string): Promise<string> => {
    pages.again();
    await lookNow();
    return words;
  };
  const retry = ({ id, kind }: FailedJob) =>
    confirm({
      title: "Another try?",
      verb: "Retry",
      isDangerous: false,
      children: <p>The job ({kind}) goes back into the queue, with all its attempts.</p>,
      async work() {
        await api.retry(id);
        return changed("The job is in the queue again.");
      },
    });
  const columns: readonly Column<FailedJob>[] = [
    { name: "Failed", cell: (job) => <Time at={job.failed_at} />, isExtra: true },
    { name: "Job", cell: (job) => job.kind, isExtra: true },
    { name: "Tries", cell: (job) => job.attempts, isExtra: true, isNumber: true },
    { name: "Why", cell: (job) => <span class="said">{job.reason}</span> },
    {
      name: "Do",
      cell: (job) => (
        <span class="buttons">
          <button type="button" class="button small" onClick={() => openDialog(<Shown id={job.id} />)}>
            Show
          </button>
          {job.retryable && (
            <button type="button" class="button small" onClick={() => retry(job)}>
              Retry
            </button>
          )}
        </span>
      ),
    },
  ];
  const retryAll = () =>
    confirm({
      title: "Retry all failed jobs?",
      verb: "Retry all",
      isDangerous: false,
      children: <p>All go back into the queue but those that their senders have cancelled.</p>,
      async work() {
        const { retried, left } = await api.retryAll();
        return changed(`${many(retried)} in the queue again${left > 0 ? `; ${many(left)} are left` : ""}.`);
      },
    });
  return (
    <Sheet
      title="Failed jobs"
      actions={
        <>
          <button type="button" class="button" onClick={() => void openQueues()}>
            Open the queues
          </button>
          {pages.items?.some(({ retryable }) => retryable) && (
            <button type="button" class="button primary" onClick={retryAll}>
              Retry all
            </button>
          )}
        </>
      }
    >
      <List label="Failed jobs" pages={pages} columns={columns} keyOf={({ id }) => id} empty="No job has failed." />
      <p class="hint">
        Failed jobs are kept for seven days. In the queues' own pages, Retry and Promote work; whatever else is offered
        there is refused, because a message that was accepted is stored, or its task says why not.
      </p>
    </Sheet>
  );
}

function Shown({ id }: { id: string }) {
  const { one: job, problem, again } = useOne(() => api.job(id), id);
  return (
    <Dialog title="Job">
      {problem && <Trouble problem={problem} again={again} />}
      {job && (
        <>
          <Facts
            facts={[
              ["Id", <code key="id">{job.id}</code>],
              ["Kind", job.kind],
              ["State", job.state],
              ["Accepted", <Time key="at" at={job.accepted_at} />],
              ["Tries", job.attempts],
              ["Why", <span key="why">{job.reason ?? "it has not failed"}</span>],
            ]}
          />
          <pre>{JSON.stringify(job.data, null, 2)}</pre>
          <p class="hint">What was said is not shown.</p>
        </>
      )}
      {!job && !problem && <p class="list-note">Loading…</p>}
    </Dialog>
  );
}
