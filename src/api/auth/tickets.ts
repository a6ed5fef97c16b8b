import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { queueUnavailable } from "../../shared/jobs/enqueue.ts";
import { keys, ttl } from "../../shared/store/store.ts";
import type { ApiDeps } from "../deps.ts";
import type { Caller } from "../http/route.ts";
import { hashSecret, newSecret } from "./secrets.ts";

export const TicketView = z
  .object({ ticket: z.string(), expires_in: z.number().int().meta({ description: "Seconds" }) })
  .meta({ id: "Ticket" });

const nameOf = (ticket: string): string => keys.ticket(hashSecret(ticket).toString("base64url"));

/** Stands for the caller once, within half a minute; for those who can show nothing but an address. */
export async function createTicket(caller: Caller, { backend, log }: ApiDeps) {
  const ticket = newSecret("plw_");
  try {
    await backend.store.set(nameOf(ticket), JSON.stringify(caller), ttl.ticketMs);
  } catch (cause) {
    throw queueUnavailable(log, cause);
  }
  return { ticket, expires_in: ttl.ticketMs / 1_000 };
}

/** Who is taken at once is gone: of two who show the same ticket one gets in. */
export async function takeTicket(ticket: string, deps: ApiDeps): Promise<Caller> {
  const { backend, credentials, directory } = deps;
  const kept = await backend.store.take(nameOf(ticket)).catch((cause: unknown) => {
    throw queueUnavailable(deps.log, cause);
  });
  if (kept === null) throw new AppError("token_invalid", "The ticket was used, or is older than 30 seconds");
  const caller = JSON.parse(kept) as Caller;
  await credentials.assertHolds(caller.credential);
  if (!(await directory.account(caller.id))) throw new AppError("not_signed_in", "This account was closed");
  return caller;
}
