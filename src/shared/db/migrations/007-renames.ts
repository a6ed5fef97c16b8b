import { Migration } from "@mikro-orm/migrations";

/**
 * How often somebody was given another name, which is in no entry of the log: a replica that has come as far as the log
 * and this has all that a list shows.
 */
export class Migration007Renames extends Migration {
  override up(): void {
    this.addSql("alter table log_head add column renames bigint not null default 0");
  }
}
