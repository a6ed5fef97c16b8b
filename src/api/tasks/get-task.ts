import { setTimeout as sleep } from "node:timers/promises";
import type { Job } from "bullmq";
import { oneRow, rows } from "../../shared/db/database.ts";
import { type MessageRow, messageColumns, seenByCount } from "../../shared/db/message-row.ts";
import { AppError, type Problem, problemOf } from "../../shared/errors.ts";
import { isId, timeOfId } from "../../shared/ids.ts";
import type { JobName, SeenJob, SendJob } from "../../shared/jobs/catalog.ts";
import { queueUnavailable } from "../../shared/jobs/enqueue.ts";
import { type FoundJob, findJobs } from "../../shared/jobs/find.ts";
import { type GroupedSend, groupIdOf, SEND_GROUP } from "../../shared/jobs/groups.ts";
import { directKey } from "../../shared/policies.ts";
import type { ApiDeps } from "../deps.ts";
import type { Gone } from "../http/gone.ts";
import { isoTime } from "../http/schemas.ts";
import { presentMessage } from "../messages/present.ts";
import type { TaskView } from "./schemas.ts";
import type { Settled } from "./task-waiters.ts";

export interface GetTask {
  readonly id: string;
  readonly waitMs: number;
  /** Whose task it must be; anybody's if undefined (the classic paths have no caller here). */
  readonly senderId: number | undefined;
  readonly gone: Gone;
}

/** A task as it stands, or as it ends if that is within the wait. An unknown one is not found, never "pending". */
export async function getTask({ id, waitMs, senderId, gone }: GetTask, deps: ApiDeps): Promise<TaskView> {
  if (!isId(id)) throw notFound(id);
  // Registered first and looked up second: an end in between is not missed.
  const waiting = waitMs > 0 ? deps.taskWaiters.wait(id, waitMs, gone) : undefined;
  try {
    const task = await look(id, senderId, deps);
    if (!waiting || isFinal(task)) return task;
    const ending = endOf(task, waiting.settled, () => look(id, senderId, deps));
    const settled = await deps.waits.during("task", gone, ending);
    return settled ? endedBy(settled, await look(id, senderId, deps)) : task;
  } finally {
    waiting?.cancel();
  }
}

/** Nothing shows that a mark has ended before the queue says so; one that was running may have been told already. */
async function endOf(task: TaskView, told: Promise<Settled | undefined>, lookAgain: () => Promise<TaskView>) {
  if (task.kind !== "messages.seen" || task.state !== "running") return told;
  for (;;) {
    const settled = await Promise.race([told, sleep(LOOK_AGAIN_MS, "again" as const)]);
    if (settled !== "again") return settled;
    if (isFinal(await lookAgain())) return "silent";
  }
}

const LOOK_AGAIN_MS = 200;

const notFound = (id: string): AppError => new AppError("task_not_found", `No task ${id.slice(0, 60)} is known to you`);
const isFinal = ({ state }: TaskView): boolean => state === "done" || state === "failed";

/** The log tells the end a moment before the queue does. */
function endedBy(settled: Settled, task: TaskView): TaskView {
  if (isFinal(task)) return task;
  const finished_at = settled === "silent" ? new Date().toISOString() : settled.at;
  if (settled !== "silent" && settled.type === "task.failed") {
    const { attempts, error } = settled.data as unknown as FailureEntry["data"];
    return { ...task, state: "failed", attempts, finished_at, error };
  }
  return { ...task, state: "done", attempts: Math.max(task.attempts, 1), finished_at };
}

/** The message itself proves that a send is done, for as long as it exists; before that the queue knows. */
async function look(id: string, senderId: number | undefined, deps: ApiDeps, again = false): Promise<TaskView> {
  const finding = findJob(id, deps);
  const [stored] = await Promise.all([findMessage(id, deps), finding.catch(() => undefined)]);
  if (stored) {
    if (senderId !== undefined && stored.sender_id !== senderId) throw notFound(id);
    // With the queue away the message is proof enough.
    const found = await finding.catch(() => undefined);
    return doneWith(stored, Math.max(found?.job.attemptsStarted ?? 1, 1), id);
  }
  const found = await finding;
  // A group that ended between the two questions is gone, and its messages are stored, or have jobs of their own.
  if (!found) return again ? findEnd(id, senderId, deps) : look(id, senderId, deps, true);
  if (senderId !== undefined && ownerOf(found.job) !== senderId) throw notFound(id);
  return (await endAhead(found, deps)) ?? ofJob(found, deps);
}

/** The database tells an end a moment before the queue does; what was told holds until somebody tries it again. */
async function endAhead({ job, state }: FoundTask, deps: ApiDeps): Promise<TaskView | undefined> {
  if (state === "done" || state === "failed") return undefined;
  const told = await findFailureEntry(job.id!, deps);
  if (told && isLast(told, job, state)) return failedWith(job.id!, told);
  const twin = await findTwin(job, deps);
  return twin && doneWith(twin, job.attemptsStarted, job.id!);
}

/** Whether nothing was tried since: a failed job may be sent back into the queue, a cancelled one is not tried. */
const isLast = ({ data: { error, attempts } }: FailureEntry, job: HeldTask, state: TaskView["state"]): boolean =>
  error.code === "cancelled" || (state === "running" && attempts >= job.attemptsStarted);

const ownerOf = (job: HeldTask): number =>
  job.name === "message.send" ? (job.data as SendJob).senderId : (job.data as SeenJob).userId;

const messageSql = `
  select ${messageColumns}, ${seenByCount} from messages m
  join users u on u.id = m.sender_id join rooms r on r.id = m.room_id`;

const findMessage = (id: string, { em }: ApiDeps): Promise<MessageRow | undefined> =>
  oneRow<MessageRow>(em, `${messageSql} where m.id = $1`, [id]);

/** The same message under the same key, accepted twice because the key was forgotten in between: it is stored once. */
async function findTwin({ name, data }: HeldTask, { em }: ApiDeps): Promise<MessageRow | undefined> {
  const { senderId, clientKey, text, roomId, recipientId } = data as SendJob;
  if (name !== "message.send" || !clientKey) return undefined;
  const to = recipientId === undefined ? String(roomId) : directKey(senderId, recipientId);
  const where = "m.sender_id = $1 and m.client_key = $2 and m.text = $3 and coalesce(r.direct_key, r.id::text) = $4";
  return oneRow<MessageRow>(em, `${messageSql} where ${where}`, [senderId, clientKey, text, to]);
}

/** What a job says of a task: its own job, or the one that it travels in with others. */
interface HeldTask
  extends Pick<Job, "id" | "name" | "data" | "attemptsStarted" | "failedReason" | "returnvalue" | "stacktrace"> {
  readonly processedOn?: number | undefined;
  readonly finishedOn?: number | undefined;
}

interface FoundTask {
  readonly job: HeldTask;
  readonly state: TaskView["state"];
}

/** In a job of its own, or among others in a group's. */
export async function findJob(id: string, deps: ApiDeps): Promise<FoundTask | undefined> {
  const [own, groups] = (await Promise.all([id, groupIdOf(id)].map((jobId) => lookUp(jobId, deps)))) as [Found, Found];
  const alone = own.find(({ job }) => job.name !== SEND_GROUP);
  if (alone) return { job: alone.job, state: stateOf(alone) };
  for (const group of groups.filter(({ job }) => job.name === SEND_GROUP)) {
    const { sends } = group.job.data as { sends: readonly GroupedSend[] };
    const data = sends.find((send) => send.id === id);
    if (data) return { job: { ...group.job, id, name: "message.send", data }, state: stateOf(group) };
  }
  return undefined;
}

type Found = readonly FoundJob[];

const lookUp = (id: string, { backend: { queues }, log }: ApiDeps): Promise<Found> =>
  findJobs(queues, id).catch((cause: unknown) => {
    throw queueUnavailable(log, cause);
  });

const doneWith = (message: MessageRow, attempts: number, id: string): TaskView => ({
  id,
  kind: "message.send",
  state: "done",
  attempts,
  created_at: isoTime(timeOfId(id)),
  finished_at: isoTime(message.created_at),
  result: presentMessage(message, message.sender_id),
  error: null,
});

async function ofJob({ job, state }: FoundTask, deps: ApiDeps): Promise<TaskView> {
  const task: TaskView = {
    id: job.id!,
    kind: job.name as JobName,
    state,
    attempts: state === "queued" ? 0 : Math.max(job.attemptsStarted, 1),
    created_at: isoTime(timeOfId(job.id!)),
    finished_at: null,
    result: null,
    error: state === "failed" ? problemOfReason(job.failedReason) : null,
  };
  if (!isFinal(task)) return task;
  const finished_at = isoTime(new Date(job.finishedOn ?? deps.now()));
  return { ...task, finished_at, result: state === "done" ? await resultOf(job, deps) : null };
}

/** What a dead worker has left behind waits again, but was begun. */
function stateOf({ state, job: { attemptsStarted } }: FoundJob): TaskView["state"] {
  if (state === "completed") return "done";
  if (state === "failed") return "failed";
  if (state === "active") return "running";
  return attemptsStarted > 0 ? "retrying" : "queued";
}

/** A refusal carries its problem; any other reason is for our log, not for clients. */
function problemOfReason(reason: string | undefined): Problem {
  try {
    const problem = JSON.parse(reason ?? "") as Problem;
    if (typeof problem.code === "string") return problem;
  } catch {
    // Not one of ours.
  }
  return problemOf(new AppError("internal", "The task was tried several times and could not be done"));
}

async function resultOf(job: HeldTask, deps: ApiDeps): Promise<TaskView["result"]> {
  if (job.name === "messages.seen") {
    const { userId, marks } = job.data as SeenJob;
    return {
      rooms: await readPositions(
        userId,
        marks.map(({ roomId }) => roomId),
        deps,
      ),
    };
  }
  // Another id than the task's if the same key had stored the message before.
  const { message_id } = (job.returnvalue ?? {}) as { message_id?: string };
  const message = message_id === undefined ? undefined : await findMessage(message_id, deps);
  return message ? presentMessage(message, message.sender_id) : null;
}

const readPositions = (userId: number, roomIds: readonly number[], { em }: ApiDeps) =>
  rows<{ room_id: number; read_seq: number }>(
    em,
    "select room_id, read_seq from members where user_id = $1 and room_id = any($2::bigint[]) order by room_id",
    [userId, roomIds],
  );

/** What the queue has forgotten the log still tells: that a task failed and why, and how far a mark went. */
async function findEnd(id: string, senderId: number | undefined, deps: ApiDeps): Promise<TaskView> {
  const entries = await rows<EndEntry>(
    deps.em,
    "select type, coalesce(user_id, actor_id) as user_id, room_id, at, data from log where task_id = $1 order by pos desc",
    [id],
  );
  const [last] = entries;
  if (!last || (senderId !== undefined && last.user_id !== senderId)) throw notFound(id);
  if (last.type === "task.failed") return failedWith(id, last as FailureEntry);
  const roomIds = entries.map((entry) => entry.room_id!);
  const times = { created_at: isoTime(timeOfId(id)), finished_at: isoTime(last.at) };
  const result = { rooms: await readPositions(last.user_id, roomIds, deps) };
  return { id, kind: "messages.seen", state: "done", attempts: 1, ...times, result, error: null };
}

interface EndEntry {
  readonly type: "task.failed" | "messages.seen";
  readonly user_id: number;
  readonly room_id: number | null;
  readonly at: string;
  readonly data: unknown;
}

interface FailureEntry {
  readonly at: string;
  readonly data: { readonly kind: JobName; readonly attempts: number; readonly error: Problem };
}

const findFailureEntry = (id: string, { em }: ApiDeps): Promise<FailureEntry | undefined> =>
  oneRow<FailureEntry>(
    em,
    "select at, data from log where task_id = $1 and type = 'task.failed' order by pos desc limit 1",
    [id],
  );

function failedWith(id: string, { at, data: { kind, attempts, error } }: FailureEntry): TaskView {
  const times = { created_at: isoTime(timeOfId(id)), finished_at: isoTime(at) };
  return { id, kind, state: "failed", attempts, ...times, result: null, error };
}
