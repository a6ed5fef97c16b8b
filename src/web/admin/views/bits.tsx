import type { ComponentChildren } from "preact";
import { Trouble } from "../../views/trouble.tsx";
import { linkTo } from "../route.ts";
import type { Pages } from "../use-pages.ts";
import type { AdminUser } from "../views.ts";

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const number = new Intl.NumberFormat();

export const Time = ({ at, none = "never" }: { at: string | null; none?: string }) =>
  at === null ? <span class="muted">{none}</span> : <time dateTime={at}>{clock.format(new Date(at))}</time>;

export const many = (count: number): string => number.format(count);

export function bytes(size: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), units.length - 1);
  const value = size / 1_000 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

export const Badge = ({ kind, children }: { kind: "good" | "bad" | "plain"; children: ComponentChildren }) => (
  <span class={`state ${kind}`}>{children}</span>
);

const stateNames = { active: "Active", banned: "Banned", deactivated: "Closed" } as const;

export const UserState = ({ user }: { user: AdminUser }) => (
  <>
    <Badge kind={user.state === "active" ? "good" : user.state === "banned" ? "bad" : "plain"}>
      {stateNames[user.state]}
    </Badge>
    {user.is_admin && user.state !== "deactivated" && <Badge kind="plain">Admin</Badge>}
  </>
);

export const UserLink = ({ user }: { user: { id: number; username: string } }) => (
  <a href={linkTo("users", user.id)}>
    <bdi>{user.username}</bdi>
  </a>
);

/** A page of the desk: what it is, what can be done with it, and what there is. */
export const Sheet = ({
  title,
  actions,
  children,
}: {
  title: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) => (
  <>
    <header class="sheet-head">
      <h1>{title}</h1>
      {actions && <div class="sheet-actions">{actions}</div>}
    </header>
    {children}
  </>
);

export const Card = ({ title, children }: { title?: string; children: ComponentChildren }) => (
  <section class="card">
    {title && <h2>{title}</h2>}
    {children}
  </section>
);

export interface Column<T> {
  readonly name: string;
  readonly cell: (item: T) => ComponentChildren;
  /** Left out where there is little room. */
  readonly isExtra?: boolean;
  readonly isNumber?: boolean;
}

interface ListProps<T> {
  /** For who listens: what the table lists. */
  readonly label: string;
  readonly pages: Pages<T>;
  readonly columns: readonly Column<T>[];
  readonly keyOf: (item: T) => number | string;
  /** What is said where there is nothing. */
  readonly empty: string;
}

const classOf = <T,>({ isExtra, isNumber }: Column<T>): string =>
  `${isExtra ? "extra" : ""} ${isNumber ? "number" : ""}`;

/** A table that goes on for as long as there is more. */
export function List<T>({ label, pages, columns, keyOf, empty }: ListProps<T>) {
  const { items, problem, hasMore, isLoading, more, again } = pages;
  if (!items) return problem ? <Trouble problem={problem} again={again} /> : <p class="list-note">Loading…</p>;
  return (
    <>
      {items.length === 0 ? (
        <p class="list-note">{empty}</p>
      ) : (
        <table aria-label={label} aria-busy={isLoading}>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column.name} scope="col" class={classOf(column)}>
                  {column.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {items.map((item) => (
              <tr key={keyOf(item)}>
                {columns.map((column) => (
                  <td key={column.name} class={classOf(column)}>
                    {column.cell(item)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {problem && <Trouble problem={problem} again={again} />}
      {hasMore && (
        <button type="button" class="button more" onClick={more} disabled={isLoading}>
          Show more
        </button>
      )}
    </>
  );
}
