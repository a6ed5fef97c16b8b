import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import { buildWorld, type World } from "../../world.ts";

/** Tables that are nobody's entity: the store's, the limiter's, and the list of migrations. */
const NOT_ENTITIES = ["kv", "migrations", "rate_limits"];

describe("the entities", () => {
  let world: World;

  before(async () => {
    world = await buildWorld({ worker: false });
  });
  after(() => world.close());

  it("say what the migrations made: every table, every column, and what may be null", async () => {
    const made = await rows<{ name: string }>(
      world.deps.em,
      `select table_name || '.' || column_name || case is_nullable when 'YES' then '?' else '' end as name
       from information_schema.columns where table_schema = 'public' and table_name <> all($1::text[])`,
      [NOT_ENTITIES],
    );
    const said = [...world.deps.em.getMetadata().getAll().values()].flatMap((entity) =>
      entity.props.map((prop) => `${entity.tableName}.${prop.fieldNames[0]}${prop.nullable ? "?" : ""}`),
    );
    expect(said.sort()).to.deep.equal(made.map(({ name }) => name).sort());
  });
});
