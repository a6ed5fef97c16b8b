import { type ClientOptions, ParleyClient } from "../../src/client/index.ts";
import type { Patience } from "../../src/client/patience.ts";

/** As the product has it, only sooner. */
const hurried = { requestMs: 2_000, connectMs: 1_000, pollMs: 1_000, backOffFirstMs: 10, backOffMostMs: 100 };

/** Clients in demo mode, which a file closes after each of its tests. */
export function clientsOf(url: () => string) {
  const open: ParleyClient[] = [];
  const keep = (client: ParleyClient): ParleyClient => {
    open.push(client);
    return client;
  };
  return {
    keep,
    of: ({ id }: { id: number }, patience: Partial<Patience> = {}, options: ClientOptions = {}): ParleyClient =>
      keep(new ParleyClient({ url: url(), auth: { userId: id }, patience: { ...hurried, ...patience }, ...options })),
    /** Without anybody signed in. */
    blank: (options: ClientOptions = {}): ParleyClient =>
      keep(new ParleyClient({ url: url(), patience: hurried, ...options })),
    closeAll: (): void => {
      for (const client of open.splice(0)) client.close();
    },
  };
}
