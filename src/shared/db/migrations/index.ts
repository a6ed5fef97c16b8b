import { Migration001Core } from "./001-core.ts";
import { Migration002Identity } from "./002-identity.ts";
import { Migration003History } from "./003-history.ts";
import { Migration004Bans } from "./004-bans.ts";
import { Migration005Deliveries } from "./005-deliveries.ts";
import { Migration006Retention } from "./006-retention.ts";
import { Migration007Renames } from "./007-renames.ts";

/** In the order in which they are applied; forward only. */
export const migrations = [
  { name: "001-core", class: Migration001Core },
  { name: "002-identity", class: Migration002Identity },
  { name: "003-history", class: Migration003History },
  { name: "004-bans", class: Migration004Bans },
  { name: "005-deliveries", class: Migration005Deliveries },
  { name: "006-retention", class: Migration006Retention },
  { name: "007-renames", class: Migration007Renames },
];
