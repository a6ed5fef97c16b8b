import { parseArgs } from "node:util";

const usage = `Usage: npm run chat -- --as <user> [--room <name> | --to <user>] [--tail]

  --as <user>       who you are: a username, or in demo mode an id as well
  --room <name>     begin in this room (a name or an id)
  --to <user>       begin with this person (a username or an id)
  --tail            print what is said from now on, one line for each message, and send nothing
  --json            with --tail: each message as JSON, for programs
  --url <url>       the server; http://127.0.0.1:8000 if not said
  --password <text> where the server is not in demo mode; PARLEY_PASSWORD in the environment is seen by fewer people.
                    PARLEY_TOKEN, a token of a bot, needs neither this nor --as
  --help            this text

What comes through a pipe is sent, line by line, to --room or --to; it ends with 0 when all of it is stored:
  echo hi | npm run -s chat -- --as user_1 --to user_2
  npm run -s chat -- --as user_2 --tail | grep user_1`;

export interface Asked {
  readonly as: string | undefined;
  readonly room: string | undefined;
  readonly to: string | undefined;
  readonly tail: boolean;
  readonly json: boolean;
  readonly url: string;
  readonly password: string | undefined;
  readonly token: string | undefined;
}

/** What was asked for; what is wrong with it is said in one line, and ends the process. */
export function readArguments(environment: NodeJS.ProcessEnv): Asked {
  const { values } = parse();
  if (values.help) leave(usage, 0);
  // Set to nothing is not set.
  const token = environment["PARLEY_TOKEN"] || undefined;
  const password = values.password ?? (environment["PARLEY_PASSWORD"] || undefined);
  if (!values.as && !token) leave("Who are you? --as <user> says it (--help tells more)", 1);
  if (values.room !== undefined && values.to !== undefined) leave("Give --room or --to, not both", 1);
  if (values.json && !values.tail) leave("--json goes with --tail", 1);
  if (!/^https?:\/\//.test(values.url) || !URL.canParse(values.url)) leave(`Not an address: --url ${values.url}`, 1);
  const { as, room, to, tail, json, url } = values;
  return { as, room, to, tail, json, url, password, token };
}

function parse() {
  try {
    return parseArgs({
      options: {
        as: { type: "string" },
        room: { type: "string" },
        to: { type: "string" },
        tail: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        url: { type: "string", default: "http://127.0.0.1:8000" },
        password: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return leave(`${(error as Error).message.split("\n")[0]} (--help tells what there is)`, 1);
  }
}

function leave(words: string, code: 0 | 1): never {
  (code === 0 ? process.stdout : process.stderr).write(`${words}\n`);
  process.exit(code);
}
