import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** Reads what was asked for, or says what is wrong with it; `--help` is answered here. */
export function commandLine<const Options extends ParseArgsOptionsConfig>(help: string, options: Options) {
  try {
    const all = { ...options, help: { type: "boolean", short: "h" } } as const;
    const given = parseArgs({ allowPositionals: true, options: all });
    if ("help" in given.values && given.values.help) leave(help, 0);
    return given;
  } catch (error) {
    return leave(`${(error as Error).message}\n\n${help}`, 1);
  }
}

export function leave(words: string, code: 0 | 1): never {
  (code === 0 ? console.log : console.error)(words);
  process.exit(code);
}
