import { readFileSync } from "node:fs";

type Source = Readonly<NodeJS.Dict<string>>;

/** What such a name holds is a password, or an address with one in it. */
const SECRET = /_(SECRET|TOKEN|PASSWORD|URL)$/;

/** The settings that may be in a file instead, whose path `NAME_FILE` tells: what stands in no environment leaks from none. */
export const secretsAmong = (names: readonly string[]): string[] => names.filter((name) => SECRET.test(name));

export const fileSettingOf = (name: string): string => `${name}_FILE`;

/** The settings with what their files hold in its place, and what is wrong with the files. What is in them is never told. */
export function withSecretFiles(source: Source, names: readonly string[]): { found: Source; mistakes: string[] } {
  const found = { ...source };
  const mistakes: string[] = [];
  for (const name of secretsAmong(names)) {
    const setting = fileSettingOf(name);
    const path = source[setting];
    if (path === undefined) continue;
    if (found[name] !== undefined) mistakes.push(`${setting}: ${name} is set as well; one of the two is enough`);
    else {
      const secret = readSecret(path);
      if (secret instanceof Error) mistakes.push(`${setting}: ${secret.message}`);
      else found[name] = secret;
    }
  }
  return { found, mistakes };
}

function readSecret(path: string): string | Error {
  try {
    // Editors and `echo` end a file with a new line, which is no part of the secret; more than one is a mistake.
    const secret = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    return secret === "" ? new Error(`${path} is empty`) : secret;
  } catch (error) {
    return new Error(`${path} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
