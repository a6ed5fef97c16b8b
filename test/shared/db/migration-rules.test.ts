import { expect } from "chai";
import { migrations } from "../../../src/shared/db/migrations/index.ts";

interface Step {
  readonly statements: readonly string[];
  readonly isTransactional: boolean;
}

/** What may not stand in a migration that runs beside the traffic, and why. */
const rules: readonly { readonly why: string; breaks(sql: string, step: Step): boolean }[] = [
  {
    why: "`concurrently` is refused inside a transaction",
    breaks: (sql, { isTransactional }) => /\bconcurrently\b/.test(sql) && isTransactional,
  },
  {
    why: "outside a transaction a step may be interrupted and run again: `if exists`, `if not exists` or a drop before it",
    breaks: (sql, { isTransactional, statements }) =>
      !isTransactional && /^(create|drop|alter table \S+ (add|drop))\b/.test(sql) && !mayRunAgain(sql, statements),
  },
  {
    why: "an index is made `concurrently`: else nobody writes to its table meanwhile",
    breaks: (sql, step) =>
      /^create (unique )?index (?!concurrently)/.test(sql) && !isNew(/ on (?:only )?(\w+)/.exec(sql)?.[1], step),
  },
  {
    why: "an index is dropped `concurrently`, or renamed into the place of another in one step",
    breaks: (sql) => /^drop index (?!concurrently)/.test(sql),
  },
  {
    why: "a new column may be null, or has a constant default: else every row is written anew",
    breaks: (sql, step) =>
      changes(sql, step) &&
      (/ add (column )?(if not exists )?(?!constraint)\w+ .*not null(?!.*default)/.test(sql) ||
        / add .*(default (clock_timestamp|random|gen_random|nextval|uuid)|generated|serial)/.test(sql)),
  },
  {
    why: "a column's type stays: every row would be written anew, and nobody reads meanwhile",
    breaks: (sql, step) => changes(sql, step) && / (set data )?type /.test(sql),
  },
  {
    why: "`set not null` reads every row with nobody beside it",
    breaks: (sql, step) => changes(sql, step) && /set not null/.test(sql),
  },
  {
    why: "a constraint is added `not valid` and validated later, a unique one `using index`",
    breaks: (sql, step) =>
      changes(sql, step) &&
      (/add (constraint \w+ )?(check|foreign key)(?!.*not valid)/.test(sql) ||
        / references (?!.*not valid)/.test(sql) ||
        /add (constraint \w+ )?(unique|primary key)(?!.*using index)/.test(sql)),
  },
  {
    why: "tables and columns that the version before uses keep their names, and go a version after their last use",
    breaks: (sql, step) =>
      (changes(sql, step) &&
        /alter table \S+ (rename( column)? \w+ to|rename to|drop column|drop (?!constraint|default)\w+)/.test(sql)) ||
      /^drop table/.test(sql),
  },
  {
    why: "nothing that locks a table for as long as it takes to read or write all of it",
    breaks: (sql) => /^(lock|cluster|truncate|vacuum full|reindex (?!.*concurrently)|refresh)/.test(sql),
  },
  {
    why: "rows are changed in small batches by a worker, not all at once by a migration",
    breaks: (sql, step) => !isNew(/^(?:update|delete from) (\w+)/.exec(sql)?.[1], step) && /^(update|delete)/.test(sql),
  },
];

const plain = (sql: string): string => sql.toLowerCase().replaceAll(/--.*$/gm, "").replaceAll(/\s+/g, " ").trim();

function isNew(table: string | undefined, { statements }: Step): boolean {
  return statements.some((sql) => sql.match(/^create (?:unlogged )?table (?:if not exists )?(\w+)/)?.[1] === table);
}

/** Whether a table is changed that was there before. */
const changes = (sql: string, step: Step): boolean => {
  const table = /^(?:do \$\$.*?)?alter table (?:if exists )?(?:only )?(\w+)/.exec(sql)?.[1];
  return table !== undefined && !isNew(table, step);
};

function mayRunAgain(sql: string, statements: readonly string[]): boolean {
  const index = /^create (?:unique )?index concurrently (\w+)/.exec(sql)?.[1];
  return / if (not )?exists /.test(sql) || statements.includes(`drop index concurrently if exists ${index}`);
}

function broken({ statements, isTransactional }: Step): string[] {
  const step = { statements: statements.map(plain), isTransactional };
  return step.statements.flatMap((sql) =>
    rules.filter((rule) => rule.breaks(sql, step)).map(({ why }) => `${sql.slice(0, 80)}: ${why}`),
  );
}

async function stepOf(made: (typeof migrations)[number]): Promise<Step> {
  // It needs neither driver nor settings to say what it would do.
  const migration = new made.class(undefined as never, undefined as never);
  await migration.up();
  return { statements: migration.getQueries().map(String), isTransactional: migration.isTransactional() };
}

describe("migrations", () => {
  // The first two are what there was in the beginning: all tables are their own.
  for (const made of migrations) {
    it(`${made.name} takes no lock that anybody waits for`, async () => {
      expect(broken(await stepOf(made))).to.deep.equal([]);
    });
  }

  it("are numbered, each number once, in the order in which they are applied", () => {
    const numbers = migrations.map(({ name }) => /^(\d{3})-[a-z-]+$/.exec(name)?.[1]);
    expect(numbers).to.deep.equal([...new Set(numbers)].sort());
  });

  const alone = (sql: string): Step => ({ statements: [sql], isTransactional: true });
  for (const sql of [
    "create index messages_text_index on messages (text)",
    "create unique index messages_text_unique on messages (text)",
    "create index concurrently messages_text_index on messages (text)",
    "drop index messages_deleted_index",
    "alter table users add column age int not null",
    "alter table users add age int not null",
    "alter table users add column token uuid default gen_random_uuid()",
    "alter table messages alter column seq type numeric",
    "alter table messages alter column seq set data type numeric",
    "alter table messages alter column client_key set not null",
    "alter table messages add constraint messages_text_check check (length(text) > 0)",
    "alter table messages add constraint messages_x_fkey foreign key (x) references x (id)",
    "alter table messages add column x bigint references x (id)",
    "alter table messages add constraint messages_text_unique unique (text)",
    "alter table messages rename column text to body",
    "alter table messages drop column text",
    "alter table messages drop text",
    "alter table messages rename to said",
    "drop table messages",
    "truncate log",
    "lock table log",
    "reindex table log",
    "update users set status = 'Offline'",
    "delete from log where pos < 7",
  ]) {
    it(`would not be let through with: ${sql}`, () => {
      expect(broken(alone(sql))).to.not.deep.equal([]);
    });
  }

  for (const sql of [
    "alter table users add column banned_at timestamptz",
    "alter table users add column strikes int not null default 0",
    "alter table users drop constraint users_status_check",
    "alter table users add constraint users_status_check check (status <> '') not valid",
    "alter table users add constraint users_x_unique unique using index users_x",
    "create table notes (id bigint generated by default as identity, user_id bigint references users (id))",
  ]) {
    it(`would be let through with: ${sql}`, () => {
      expect(broken(alone(sql))).to.deep.equal([]);
    });
  }

  it("would not be let through if they could not be run again after an interruption", () => {
    const index = "create index concurrently x on log (at)";
    expect(broken({ statements: [index], isTransactional: false })).to.have.length(1);
    expect(broken({ statements: [`drop index concurrently if exists x`, index], isTransactional: false })).to.be.empty;
  });
});
