import fc from "fast-check";

export type Json = Record<string, unknown>;

/** What exists, so that a guess may hit. */
export interface Known {
  readonly numbers: readonly number[];
  readonly uuids: readonly string[];
  /** What a field or parameter of this name may well hold; `rooms.id` for the id in a path of rooms. */
  readonly named: Readonly<Record<string, readonly unknown[]>>;
}

/** Values as a schema wants them, values that miss it by a little, and values that nobody would want. */
export class Values {
  readonly #schemas: Readonly<Record<string, Json>>;
  readonly #known: () => Known;

  constructor(schemas: Readonly<Record<string, Json>>, known: () => Known) {
    this.#schemas = schemas;
    this.#known = known;
  }

  any(schema: Json, name = ""): fc.Arbitrary<unknown> {
    return fc.oneof(
      { weight: 5, arbitrary: this.valid(schema, name) },
      { weight: 4, arbitrary: this.near(schema) },
      { weight: 1, arbitrary: hostile },
    );
  }

  valid(schema: Json, name = ""): fc.Arbitrary<unknown> {
    const made = this.#made(this.#resolve(schema));
    // Looked up when it is needed: what there is changes.
    const known = fc.nat().map((n) => pick(this.#known().named[name] ?? [], n));
    return fc
      .oneof({ weight: 2, arbitrary: known }, { weight: 1, arbitrary: fc.constant(undefined) })
      .chain((value) => (value === undefined ? made : fc.constant(value)));
  }

  #made(one: Json): fc.Arbitrary<unknown> {
    const options = (one["anyOf"] ?? one["oneOf"]) as Json[] | undefined;
    if (options) return fc.oneof(...options.map((option) => this.valid(option)));
    if (one["enum"]) return fc.constantFrom(...(one["enum"] as unknown[]));
    if ("const" in one) return fc.constant(one["const"]);
    switch (one["type"]) {
      case "integer":
      case "number":
        return this.#number(one);
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "array":
        return fc.array(this.valid((one["items"] ?? {}) as Json), {
          minLength: (one["minItems"] as number | undefined) ?? 0,
          maxLength: Math.min((one["maxItems"] as number | undefined) ?? 5, 5),
        });
      case "object":
        return this.#object(one, (field, name) => this.valid(field, name));
      case "string":
        return this.#string(one);
      default:
        return fc.jsonValue({ maxDepth: 2 });
    }
  }

  /** One thing about it is wrong, or more: a field, a bound, a type, one too many. */
  near(schema: Json): fc.Arbitrary<unknown> {
    const one = this.#resolve(schema);
    if (one["type"] === "object") {
      const wrongField = this.#object(one, (field, name) =>
        fc.oneof(
          { weight: 6, arbitrary: this.valid(field, name) },
          { weight: 1, arbitrary: this.near(field) },
          { weight: 3, arbitrary: oddText },
          { weight: 1, arbitrary: hostile },
        ),
      );
      const more = fc.tuple(this.valid(one), fc.constantFrom(...oddKeys), hostile);
      return fc.oneof(
        wrongField,
        more.map(([value, key, extra]) =>
          Object.defineProperty({ ...(value as Json) }, key, { value: extra, enumerable: true }),
        ),
      );
    }
    const { minimum = 0, maximum = 1_000 } = one as { minimum?: number; maximum?: number };
    const { minLength = 0, maxLength = 300 } = one as { minLength?: number; maxLength?: number };
    const bounds = [minimum - 1, minimum, maximum, maximum + 1, minimum + 0.5].map((n) => fc.constant(n));
    const lengths = [minLength - 1, minLength, maxLength, maxLength + 1].filter((n) => n >= 0 && n < 30_000);
    return fc.oneof(
      ...bounds,
      ...lengths.map((length) => fc.constant("x".repeat(length))),
      this.valid(one).map((value) => [value]),
      this.valid(one).map((value) => ` ${asText(value)}\n`),
      fc.constantFrom(null, true, "", "null", "undefined", "NaN"),
      oddText,
    );
  }

  #resolve(schema: Json): Json {
    const reference = schema["$ref"] as string | undefined;
    return reference ? this.#schemas[reference.split("/").at(-1)!]! : schema;
  }

  #number({ minimum = 0, maximum = 1_000 }: { minimum?: number; maximum?: number }): fc.Arbitrary<number> {
    const within = (n: number): boolean => n >= minimum && n <= maximum;
    return fc.oneof(
      { weight: 4, arbitrary: fc.nat().map((n) => pick(this.#known().numbers.filter(within), n) ?? minimum) },
      { weight: 1, arbitrary: fc.integer({ min: minimum, max: Math.min(maximum, minimum + 20) }) },
    );
  }

  #object(one: Json, of: (field: Json, name: string) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
    const { properties = {}, required = [] } = one as { properties?: Record<string, Json>; required?: string[] };
    const fields = Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, of(field, name)]));
    // Where much is optional, most of what is made up fails for a field that nobody had to send.
    const needed = Object.fromEntries(required.map((name) => [name, fields[name]!]));
    return fc.oneof(fc.record(needed), fc.record(fields, { requiredKeys: required }));
  }

  #string({ format, pattern, minLength = 0, maxLength = 40 }: Json): fc.Arbitrary<string> {
    const uuid = fc.nat().map((n) => pick(this.#known().uuids, n)!);
    if (format === "uuid") return uuid;
    if (format === "date-time")
      return fc.date({ noInvalidDate: true, max: new Date("2999-01-01") }).map((at) => at.toISOString());
    if (pattern !== undefined) return matching(pattern as string);
    const bounds = { minLength: minLength as number, maxLength: Math.min(maxLength as number, 60) };
    return fc.oneof(fc.string(bounds), fc.string({ ...bounds, unit: "binary" }), uuid);
  }
}

export const asText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "").slice(0, 5_000);

const pick = <T>(list: readonly T[], n: number): T | undefined => list[n % list.length];

function matching(pattern: string): fc.Arbitrary<string> {
  try {
    return fc.stringMatching(new RegExp(pattern), { size: "small" });
  } catch {
    // Classes of Unicode are more than it can make up.
    return fc.stringMatching(/^[a-z0-9._-]{3,20}$/);
  }
}

const oddKeys = ["__proto__", "constructor", "toString", "from", "id", "", "a\u0000b", "$where", "is_admin"];

const deep = (depth: number): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { a: value };
  return value;
};

/** What breaks things most often is tried most often. */
const nulAndHalves = ["\u0000", "\u0000", "\u0000", "\uD800", "\uD800", "\uDC00"];

/** Short enough to pass for a name, and nothing that a table or a page takes as it is. */
const oddText = fc
  .tuple(
    fc.constantFrom(...nulAndHalves, "\uFEFF", "\u202E", "e\u0301", "\u007f", "'", '"', "\\", "%", "<b>"),
    fc.string({ maxLength: 8 }),
  )
  .map(([odd, text]) => `ab${odd}${text}`);

/** What is sent by those who look for holes, and by those who have a bug. */
export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      "",
      " ",
      "\u0000",
      "a\u0000b",
      "\uD800",
      "\uFEFF",
      "\u202Eabc",
      "👩‍👩‍👧‍👦".repeat(50),
      "e\u0301".repeat(200),
      "İ",
      "ß",
    ],
    ...[
      "__proto__",
      "constructor",
      "hasOwnProperty",
      "../../etc/passwd",
      "' or 1=1 --",
      "$(id)",
      "{{7*7}}",
      "<script>",
    ],
    ...[
      "%00",
      "%zz",
      "1e3",
      "0x10",
      "-1",
      "1,2",
      "NaN",
      "Infinity",
      "9223372036854775808",
      "00000000-0000-0000-0000-000000000000",
    ],
    ...[-1, 0, 0.5, 1e308, 2 ** 53, -(2 ** 63), 2 ** 31, null, true, false, [], {}, [[]], [null], { length: 5 }],
    ...[{ toString: 1 }, { toJSON: "x" }, { $gt: "" }, JSON.parse('{"__proto__":{"isAdmin":true}}')],
    ...["x".repeat(5_000), "x".repeat(30_000), deep(50), deep(4_000), Array(1_001).fill(1)],
  ),
  fc.string({ unit: "binary", maxLength: 50 }),
  fc.jsonValue({ maxDepth: 3 }),
);
