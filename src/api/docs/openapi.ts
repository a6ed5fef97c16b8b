import { createRequire } from "node:module";
import { z } from "zod";
import { type ErrorCode, errorCodes } from "../../shared/errors.ts";
import { impliedErrors, type Route } from "../http/route.ts";
import { ProblemView } from "../tasks/schemas.ts";

type Json = Record<string, unknown>;

const { version } = createRequire(import.meta.url)("../../../package.json") as { version: string };

/** The OpenAPI 3.1 document, computed from the route values: nothing in it is said twice. */
export function openapi(routes: readonly Route[]): Json {
  const components: Json = {};
  const schema = (type: z.ZodType, io: "input" | "output"): Json =>
    hoist(z.toJSONSchema(type, { io, override: asSaid }) as Json, components);
  const problem = schema(ProblemView, "output");
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method]: operation(route, schema, problem) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Parley",
      version,
      license: { name: "MIT", identifier: "MIT" },
      description:
        "A queue-driven chat backend. Every write is accepted at once as a task that can be followed to its end; " +
        "every read can wait. In demo mode `?user_id=` or an `X-User-Id` header says who is asking: on the page at " +
        "`/docs` press *Authorize*.",
    },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }, { apiKey: [], actAs: [] }, { demoUser: [] }, { demoUserHeader: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "An access token of a sign-in, or a bot's token" },
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key", description: "`<id>:<secret>` of a client" },
        actAs: { type: "apiKey", in: "header", name: "X-Act-As", description: "The user in whose name a client acts" },
        demoUser: { type: "apiKey", in: "query", name: "user_id", description: "Demo mode only" },
        demoUserHeader: { type: "apiKey", in: "header", name: "X-User-Id", description: "Demo mode only" },
      },
    },
  };
}

type ToSchema = (type: z.ZodType, io: "input" | "output") => Json;

function operation(route: Route, schema: ToSchema, problem: Json): Json {
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description && { description: route.description }),
    ...(route.access === "public" && { security: [] }),
    parameters: [
      ...fields("path", route.params, schema),
      ...fields("query", route.query, schema),
      ...fields("header", route.headers, schema),
    ],
    ...(route.body && {
      requestBody: { required: true, content: { "application/json": { schema: schema(route.body, "input") } } },
    }),
    responses: { ...answers(route, schema), ...failures([...route.errors, ...impliedErrors(route)], problem) },
  };
}

function fields(where: "path" | "query" | "header", type: z.ZodType | undefined, schema: ToSchema): Json[] {
  if (!type) return [];
  const { properties = {}, required = [] } = schema(type, "input") as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  // The pattern is how a number looks as text; to a client it is a number.
  return Object.entries(properties).map(([name, { description, pattern, ...rest }]) => ({
    name,
    in: where,
    required: where === "path" || required.includes(name),
    ...(description !== undefined && { description }),
    schema: rest["type"] === "string" && pattern !== undefined ? { ...rest, pattern } : rest,
  }));
}

const answers = (route: Route, schema: ToSchema): Json =>
  Object.fromEntries(
    Object.entries(route.responses).map(([status, { description, body, headers = {} }]) => [
      status,
      {
        description,
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: "string" } }]),
        ),
        ...(body && { content: { "application/json": { schema: schema(body, "output") } } }),
      },
    ]),
  );

/** Codes that share a status are listed together; anything may fail on our side. */
function failures(errors: readonly ErrorCode[], problem: Json): Json {
  const byStatus = Map.groupBy(new Set([...errors, "internal"] as const), (code) => errorCodes[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\`: ${errorCodes[code].title}`).join("; "),
        content: { "application/problem+json": { schema: problem } },
      },
    ]),
  );
}

/** Named schemas move to the document's components, wherever they stand. */
function hoist({ $schema: _, $defs = {}, ...schema }: Json & { $defs?: Record<string, Json> }, components: Json): Json {
  for (const [name, definition] of Object.entries($defs)) components[name] ??= relink(definition);
  return relink(schema);
}

/** A number or a flag that comes as text: zod leaves out its default, and lists the words for true and false. */
function asSaid({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  const said = z.globalRegistry.get(zodSchema)?.["default"];
  if (said !== undefined) jsonSchema["default"] = said;
  if (jsonSchema["type"] === "boolean") delete jsonSchema["enum"];
}

const relink = (schema: Json): Json =>
  JSON.parse(JSON.stringify(schema).replaceAll("#/$defs/", "#/components/schemas/")) as Json;
