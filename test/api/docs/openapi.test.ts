import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "chai";
import { impliedErrors, type Route } from "../../../src/api/http/route.ts";
import { routes } from "../../../src/api/routes.ts";
import { type ErrorCode, errorCodes, isErrorCode } from "../../../src/shared/errors.ts";
import { buildUser, get } from "../../calls.ts";
import { buildWorld, type World } from "../../world.ts";

type Json = Record<string, unknown>;

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Json;
}
type Content = Record<string, { readonly schema: Json }>;
interface Answer {
  readonly description: string;
  readonly headers?: Record<string, { readonly schema: Json }>;
  readonly content?: Content;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security?: readonly Record<string, string[]>[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Record<string, Answer>;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly security: readonly Record<string, string[]>[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Json>; readonly securitySchemes: Record<string, Json> };
}

describe("the API's description of itself", () => {
  let world: World;
  let document: Document;

  before(async () => {
    world = await buildWorld({ worker: false });
    document = (await get(world, "/openapi.json")).body;
  });
  after(() => world?.close());

  const operations = (): [string, Operation][] =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
    );

  it("is an OpenAPI 3.1 document with a title and a version", () => {
    expect(document.openapi).to.match(/^3\.1\.\d+$/);
    expect(document.info.title).to.be.a("string").and.not.equal("");
    expect(document.info.version).to.match(/^\d+\.\d+\.\d+/);
  });

  it("has every route and nothing else, each under a name of its own", () => {
    const name = (method: string, path: string): string => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`;
    const expected = routes.map(({ id, method, path }) => [name(method, path), id]);
    const described = operations().map(([where, { operationId }]) => [where, operationId]);
    expect(described).to.have.deep.members(expected);
    expect(new Set(described.map(([, id]) => id)).size).to.equal(routes.length);
  });

  it("declares each parameter once, and those of a path where the path has them", () => {
    for (const [where, { parameters }] of operations()) {
      const keys = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
      expect(new Set(keys).size, where).to.equal(keys.length);
      for (const parameter of parameters) expect(parameter.in, where).to.be.oneOf(["path", "query", "header"]);
      const inPath = parameters.filter((parameter) => parameter.in === "path");
      const named = [...where.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(
        inPath.map(({ name }) => name),
        where,
      ).to.have.members(named);
      for (const { required } of inPath) expect(required, where).to.equal(true);
    }
  });

  it("says what each parameter is for, and what is taken where it is left out, as what it is", () => {
    const defaults = new Map<string, unknown>();
    for (const [where, { parameters }] of operations()) {
      for (const { name, in: place, description, schema } of parameters) {
        if (place !== "path") expect(description, `${where} ${name}`).to.be.a("string").and.not.equal("");
        if (!("default" in schema)) continue;
        const type = schema["type"] === "integer" ? "number" : schema["type"];
        expect(schema["default"], `${where} ${name}`).to.be.a(type as string);
        defaults.set(`${where} ${name}`, schema["default"]);
      }
    }
    expect(defaults.get("get /v1/messages/unseen wait")).to.equal(0);
    expect(defaults.get("get /v1/messages/unseen mark_seen")).to.equal(false);
  });

  it("tells every way in which a route answers, well or not", () => {
    for (const route of routes) {
      const operation = operations().find(([, { operationId }]) => operationId === route.id)![1];
      const statuses = [...Object.keys(route.responses), ...errorsOf(route).map((code) => errorCodes[code].status)];
      expect(Object.keys(operation.responses), route.id).to.have.members([...new Set(statuses.map(String))]);
      for (const [status, { body }] of Object.entries(route.responses)) {
        expect(Object.keys(operation.responses[status]!.content ?? {}), `${route.id} ${status}`).to.deep.equal(
          body ? ["application/json"] : [],
        );
      }
      expect(operation.requestBody !== undefined, route.id).to.equal(route.body !== undefined);
    }
  });

  it("documents the codes that exist, each with the status that it has", () => {
    for (const [where, { operationId, responses }] of operations()) {
      const told = Object.entries(responses).flatMap(([status, { description, content }]) =>
        content?.["application/problem+json"]
          ? [...description.matchAll(/`(\w+)`/g)].map(([, code]) => ({ status, code: code! }))
          : [],
      );
      for (const { status, code } of told) {
        expect(isErrorCode(code), `${where} ${code}`).to.equal(true);
        expect(String(errorCodes[code as ErrorCode].status), `${where} ${code}`).to.equal(status);
      }
      const route = routes.find(({ id }) => id === operationId)!;
      expect(
        told.map(({ code }) => code),
        where,
      ).to.have.members(errorsOf(route));
    }
    const { code } = document.components.schemas["Problem"]!["properties"] as { code: { enum: string[] } };
    expect(code.enum).to.have.members(Object.keys(errorCodes));
  });

  it("refers only to what it holds", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference!);
    expect(references).to.not.have.length(0);
    const names = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect(references.filter((reference) => !names.includes(reference))).to.deep.equal([]);

    const schemes = Object.keys(document.components.securitySchemes);
    const tags = document.tags.map(({ name }) => name);
    const secured = [document.security, ...operations().map(([, { security = [] }]) => security)].flat();
    expect(secured.flatMap(Object.keys).filter((name) => !schemes.includes(name))).to.deep.equal([]);
    expect(
      operations()
        .flatMap(([, operation]) => operation.tags)
        .filter((tag) => !tags.includes(tag)),
    ).to.deep.equal([]);
  });

  it("holds JSON Schemas that a validator takes, and that tell a right answer from a wrong one", async () => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false });
    ajv.addKeyword("components");
    // By a name, so that what is referred to is compiled once and not with each that refers to it.
    const named = <T>(part: T): T =>
      JSON.parse(JSON.stringify(part).replaceAll('"#/components/', '"parley#/components/'));
    ajv.addSchema({ $id: "parley", components: named(document.components) });
    const compile = (schema: Json) => ajv.compile(named(schema));
    for (const schema of Object.values(document.components.schemas)) compile(schema);
    for (const [, operation] of operations()) for (const schema of schemasOf(operation)) compile(schema);

    const ann = await buildUser(world);
    const { body } = await get(world, "/v1/me", ann.id);
    const validate = compile(document.paths["/v1/me"]!["get"]!.responses["200"]!.content!["application/json"]!.schema);
    expect(validate(body), ajv.errorsText(validate.errors)).to.equal(true);
    expect(validate({ ...body, id: "1" })).to.equal(false);
  });

  it("has a page to read and to try, all of which comes from the same server", async () => {
    for (const path of ["/docs", "/docs/"]) {
      const page = await get(world, path);
      expect(page.status).to.equal(200);
      expect(page.headers.get("content-type")).to.match(/^text\/html/);
      const links = [...page.body.matchAll(/\b(?:src|href)\s*=\s*["']?([^"'\s>]+)/g)].map(([, link]) => link as string);
      expect(links.some((link) => link.endsWith(".js")) && links.some((link) => link.endsWith(".css"))).to.equal(true);
      for (const link of links) {
        if (link.startsWith("#")) continue;
        const url = new URL(link, world.url + path);
        expect(url.origin, link).to.equal(world.url);
        expect((await get(world, url.pathname)).status, link).to.equal(200);
      }
      // A namespace of XML is a name that only looks like an address.
      const html = page.body.replace(/\bxmlns(:\w+)?="[^"]*"/g, "");
      expect(html.match(/(?:https?:)?\/\/[\w-]+(?:\.[\w-]+)+/g) ?? []).to.deep.equal([]);
      expect(page.body).to.include("/openapi.json");
    }
  });
});

/** Its own, those that any route like it has, and that anything may fail on our side. */
const errorsOf = (route: Route): ErrorCode[] => [
  ...new Set([...route.errors, ...impliedErrors(route), "internal" as const]),
];

function schemasOf({ parameters, requestBody, responses }: Operation): Json[] {
  const answers = Object.values(responses);
  const contents = [requestBody, ...answers].flatMap((holder) => Object.values(holder?.content ?? {}));
  const headers = answers.flatMap((answer) => Object.values(answer.headers ?? {}));
  return [...parameters, ...contents, ...headers].map(({ schema }) => schema);
}
