import { Migration001Core } from "./001-core.ts";

/** In the order in which they are applied; forward only. */
export const migrations = [{ name: "001-core", class: Migration001Core }];
