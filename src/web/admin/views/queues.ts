import { problemOf } from "../../client.ts";
import { api } from "../api.ts";
import { trouble } from "../live.ts";

/** The board's pages can't be asked for with a token: a ticket opens them, once, and becomes a cookie of their own. */
export async function openQueues(): Promise<void> {
  try {
    location.assign(`/admin/queues?ticket=${encodeURIComponent(await api.ticket())}`);
  } catch (error) {
    trouble.value = problemOf(error);
  }
}
