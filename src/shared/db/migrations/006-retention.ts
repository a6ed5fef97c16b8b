import { Migration } from "@mikro-orm/migrations";

/** Where the log begins, and what finds the sessions and tokens that are over. Safe under traffic. */
export class Migration006Retention extends Migration {
  /** `concurrently` refuses a transaction. */
  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // Entries up to here are gone. A column and not the first row of the log: that is a walk over all that was removed and
  // not yet vacuumed, and says nothing once the log is empty.
  `alter table log_head add column if not exists kept_after bigint not null default 0`,

  // What ends first ends it; `least` passes over the one that is null.
  `drop index concurrently if exists sessions_over_at_index`,
  `create index concurrently sessions_over_at_index on sessions (least(expires_at, ended_at))`,
  `drop index concurrently if exists refresh_tokens_used_at_index`,
  `create index concurrently refresh_tokens_used_at_index on refresh_tokens (used_at) where used_at is not null`,
];
