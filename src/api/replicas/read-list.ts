import { oneRow } from "../../shared/db/database.ts";
import type { ApiDeps } from "../deps.ts";
import type { ListQuery } from "./replicas.ts";

/** From a replica where there is one that has all of it, else from the primary. */
export const readList = async <Row extends object>(
  list: ListQuery,
  { em, replicas }: Pick<ApiDeps, "em" | "replicas">,
): Promise<Row | undefined> => (await replicas?.read<Row>(list, em)) ?? oneRow<Row>(em, list.sql, list.parameters);
