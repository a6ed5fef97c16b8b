import fc from "fast-check";
import { asText, hostile, type Json, type Values } from "./values.ts";

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: Json;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Json | undefined;
}

export interface Document {
  readonly paths: Record<string, Record<string, Described>>;
  readonly components: { readonly schemas: Record<string, Json> };
}

interface Described {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Json }> };
}

/** One request as it goes over the wire; who asks is decided by name. */
export interface Request {
  readonly operation: string;
  readonly as: (typeof callers)[number];
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const callers = ["nobody", "user", "user", "user", "admin", "admin", "query", "token", "key", "garbage"] as const;

export const operationsOf = ({ paths }: Document): Operation[] =>
  Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { operationId, parameters, requestBody }]) => ({
      id: operationId,
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content["application/json"]?.schema,
    })),
  );

/** Nobody waits for what does not come: reads that park do so for a second at most. */
const SECONDS = new Set(["wait", "timeout"]);

export function requestTo({ id, method, path, parameters, body }: Operation, values: Values): fc.Arbitrary<Request> {
  const text = ({ in: where, name, schema }: Parameter): fc.Arbitrary<string> =>
    SECONDS.has(name)
      ? fc.constantFrom("0", "1", "-1", "56", "x", "")
      : values.any(schema, where === "path" && name === "id" ? `${path.split("/")[2]}.id` : name).map(asText);
  const given = (parameter: Parameter) => fc.option(text(parameter), { freq: 2, nil: undefined });
  const inPath = parameters.filter((one) => one.in === "path");
  const inQuery = parameters.filter((one) => one.in === "query");
  const inHeader = parameters.filter((one) => one.in === "header");
  return fc
    .record({
      as: fc.constantFrom(...callers),
      method: fc.oneof({ weight: 30, arbitrary: fc.constant(method) }, { weight: 1, arbitrary: otherMethod }),
      path: fc.tuple(...inPath.map(text)),
      slash: fc.boolean(),
      query: fc.tuple(...inQuery.map((one) => fc.array(text(one), { maxLength: 2, size: "max" }))),
      more: seldom(fc.tuple(fc.constantFrom(...oddNames), hostile)),
      headers: fc.tuple(...inHeader.map(given)),
      body: body ? bodyOf(body, values) : seldom(fc.constant({ text: "{}", type: "application/json" })),
      encoding: seldom(fc.constantFrom("gzip", "br", "identity", "x")),
    })
    .map(({ as, method, path: ids, slash, query, more, headers, body, encoding }) => {
      let i = 0;
      const where = path.replace(/\{\w+\}/g, () => encode(ids[i++]!) || "%20");
      const pairs = query.flatMap((list, n) => list.map((value) => [inQuery[n]!.name, value] as const));
      if (more) pairs.push([more[0], asText(more[1])]);
      const search = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
      const named = inHeader.flatMap(({ name }, n) =>
        headers[n] === undefined ? [] : [[name, inLatin(headers[n]!)] as const],
      );
      return {
        operation: id,
        as,
        method,
        path: `${where}${slash ? "/" : ""}${search ? `?${search}` : ""}`.slice(0, 28_000),
        headers: {
          ...Object.fromEntries(named),
          ...(body?.type !== undefined && { "content-type": body.type }),
          ...(body && encoding && { "content-encoding": encoding }),
        },
        body: body?.text,
      };
    });
}

const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 19, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const oddNames = ["user_id", "__proto__", "presence", "constructor", "x[]", ""];
const otherMethod = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND");
const contentTypes = [
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "application/merge-patch+json",
];
const oddTypes = [...contentTypes, "application/json; charset=utf-7", "application/json;;", "json", "/", undefined];

function bodyOf(schema: Json, values: Values) {
  const json = values.any(schema).map((value) => JSON.stringify(value) ?? "");
  const broken = fc.tuple(json, fc.nat()).map(([text, n]) => text.slice(0, n % (text.length + 1)));
  const text = fc.oneof(
    { weight: 16, arbitrary: json },
    { weight: 2, arbitrary: broken },
    {
      weight: 1,
      arbitrary: fc.constantFrom("", "null", "[]", '"x"', "{", "\u0000", "NaN", '{"a":1,"a":2}', '{"__proto__":{}}'),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom("[".repeat(20_000), `{"text":"${"x".repeat(70_000)}"}`, "\uFEFF{}", "a=1&b[]=2"),
    },
  );
  const type = fc.oneof(
    { weight: 20, arbitrary: fc.constant<string | undefined>("application/json") },
    { weight: 1, arbitrary: fc.constantFrom(...oddTypes) },
  );
  return fc.option(fc.record({ text, type }), { freq: 15, nil: undefined });
}

/** Half a character is sent as the bytes that it would have. */
const encode = (text: string): string =>
  [...text].map((char) => (/^[\uD800-\uDFFF]$/.test(char) ? "%ED%A0%80" : encodeURIComponent(char))).join("");
/** What a header can carry at all. */
const inLatin = (text: string): string => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, "").slice(0, 4_000);
