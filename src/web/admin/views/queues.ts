import { problemOf } from "../../client.ts";
import { api } from "../api.ts";
import { said } from "../live.ts";

/** The board's pages can't be asked for with a token: a ticket opens them, once, and becomes a cookie of their own. */
export async function openQueues(): Promise<void> {
  try {
    location.assign(`/admin/queues?ticket=${encodeURIComponent(await api.ticket())}`);
  } catch (error) {
    said.value = `The queues can't be opened: ${problemOf(error).detail}`;
  }
}
