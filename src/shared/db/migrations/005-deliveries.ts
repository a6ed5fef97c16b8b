import { Migration } from "@mikro-orm/migrations";

/** When a message first reached somebody else than its sender. Safe under traffic: a table that nobody reads yet. */
export class Migration005Deliveries extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // No foreign key: it would lock a row of `messages` for each that is written. What is swept, is swept by its time.
  `create table if not exists deliveries (
    message_id uuid not null,
    at timestamptz not null,
    constraint deliveries_pkey primary key (message_id)
  ) with (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000)`,
  // Rows come in the order of their time, so that a few bytes for many pages find the old ones.
  `create index if not exists deliveries_at_index on deliveries using brin (at)`,
];
