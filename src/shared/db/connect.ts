import pg from "pg";

/**
 * A connection of one's own, for what runs once. Where it breaks, the statement that is running says so, or the next
 * one: an event besides, which nobody hears, would end the process there and then.
 */
export async function connect(url: string, name: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: name });
  client.on("error", () => {});
  await client.connect();
  return client;
}
