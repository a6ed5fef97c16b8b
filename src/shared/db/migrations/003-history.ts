import { Migration } from "@mikro-orm/migrations";

/**
 * What keeps the cost of a call from growing with the history. Safe under traffic: the indexes are made beside it, and
 * what was left half-made by a run that was interrupted is made anew.
 */
export class Migration003History extends Migration {
  /** `concurrently` refuses a transaction. */
  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const statements = [
  // Somebody's own messages behind their read pointer, and the deleted ones, are counted without looking at the rest.
  `drop index concurrently if exists messages_room_id_sender_id_seq_index`,
  `create index concurrently messages_room_id_sender_id_seq_index on messages (room_id, sender_id, seq)`,
  `drop index concurrently if exists messages_deleted_index`,
  `create index concurrently messages_deleted_index on messages (room_id, seq) include (sender_id)
     where deleted_at is not null`,

  // A message without a key is in no index of keys.
  `drop index concurrently if exists messages_sender_id_client_key_partial`,
  `create unique index concurrently messages_sender_id_client_key_partial on messages (sender_id, client_key)
     where client_key is not null`,
  // In one step, so that no key is ever without its index.
  `do $$ begin
     alter table messages drop constraint if exists messages_sender_id_client_key_unique;
     drop index if exists messages_sender_id_client_key_unique;
     alter index messages_sender_id_client_key_partial rename to messages_sender_id_client_key_unique;
   end $$`,

  // Tables that only grow are vacuumed after so many new rows, however large they are: a share of the whole would come
  // ever more rarely, and each time with more to do.
  ...["messages", "log", "receipts"].map(
    (table) => `alter table ${table} set (
      autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000)`,
  ),
];
