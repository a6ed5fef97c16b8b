import { expect } from "chai";
import { oneRow, openDatabase } from "../../../src/shared/db/database.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { services } from "../../services.ts";

async function answerOf(url: string): Promise<unknown> {
  const orm = await openDatabase({ url, poolSize: 1, log: createLogger({ LOG_LEVEL: "silent" }, "test") });
  try {
    return await oneRow(orm.em, "select current_database() as name");
  } catch (error) {
    return String(error);
  } finally {
    await orm.close();
  }
}

describe("DATABASE_URL", () => {
  it("is held to what it asks of the connection", async () => {
    expect(await answerOf(`${services().postgresUrl}?sslmode=verify-full`)).to.include("does not support SSL");
  });

  it("may name the server in its query, as for a socket", async () => {
    const { host, hostname, port } = new URL(services().postgresUrl);
    const url = services().postgresUrl.replace(host, "");
    expect(await answerOf(`${url}?host=${hostname}&port=${port}`)).to.have.property("name");
  });
});
