import { ParleyClient, Problem } from "../client/index.ts";
import type { Asked } from "./arguments.ts";

/** A token, a password, or in demo mode just a name. */
export async function signIn({ url, as, password, token }: Asked): Promise<ParleyClient> {
  if (token !== undefined) return new ParleyClient({ url, auth: { apiToken: token } });
  if (password !== undefined) {
    const client = new ParleyClient({ url });
    await client.logIn({ username: as!, password });
    return client;
  }
  const nobody = new ParleyClient({ url });
  const userId = await idOf(as!, nobody).catch((error: unknown) => {
    if (!(error instanceof Problem && error.status === 401)) throw error;
    throw new Error("This server asks for a password: --password, or PARLEY_PASSWORD in the environment");
  });
  return new ParleyClient({ url, auth: { userId } });
}

async function idOf(name: string, client: ParleyClient): Promise<number> {
  const user = await findUser(name, client);
  if (user) return user.id;
  if (/^\d{1,15}$/.test(name)) return Number(name);
  throw new Error(`Nobody is called ${name}`);
}

export async function findUser(
  name: string,
  client: ParleyClient,
): Promise<{ id: number; username: string } | undefined> {
  const { users } = await client.users.list({ username: name, limit: 1 });
  return users[0];
}
