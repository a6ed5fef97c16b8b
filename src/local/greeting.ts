import type { Env } from "../shared/env.ts";
import type { Screen } from "./screen.ts";

interface Up {
  readonly env: Env;
  readonly url: string;
  readonly seeded: boolean;
}

const SECRET = "Passw0rd!";
const JSON_HEADER = "-H 'content-type: application/json'";

/** Where everything is, and what to paste first. Explanations stand above the commands: zsh takes no `#` behind them. */
export function greet(screen: Screen, { env, url, seeded }: Up): void {
  screen.line();
  screen.line(`  Parley   ${url}`);
  screen.line(
    `           ${seeded ? "chat there: sign in as user_1, and in a private window as user_2" : "chat there: sign up"}`,
  );
  screen.line(`  Swagger  ${url}/docs`);
  if (seeded)
    screen.line(`  Users    user_1 … user_15, IsaiahTobi, IsaiahAim, alice, bob, charlie (password ${SECRET})`);
  screen.line();
  if (env.AUTH_MODE === "demo") greetDemo(screen, url, env.HOST);
  else if (seeded) greetToken(screen, url);
  screen.line("  Ctrl-C stops everything.");
}

function greetDemo(screen: Screen, url: string, host: string): void {
  screen.loud(`  DEMO MODE: whoever says ?user_id=5 is user 5. Therefore it listens on ${host} only.`);
  screen.line();
  screen.line("  Waits up to 25 s for a message to user 7; run it in a second terminal:");
  screen.line(`    curl -s '${url}/v1/messages/unseen?user_id=7&wait=25'`);
  screen.line("  Sends one:");
  screen.line(`    curl -s -X POST '${url}/v1/users/7/messages?user_id=1' ${JSON_HEADER} -d '{"text":"hello"}'`);
  screen.line("  User 7's rooms:");
  screen.line(`    curl -s '${url}/v1/rooms?user_id=7'`);
  screen.line();
}

function greetToken(screen: Screen, url: string): void {
  const body = JSON.stringify({ username: "user_1", password: SECRET });
  screen.line("  Signs in (the access_token goes into the header Authorization: Bearer …):");
  screen.line(`    curl -s -X POST '${url}/v1/auth/login' ${JSON_HEADER} -d '${body}'`);
  screen.line();
}
