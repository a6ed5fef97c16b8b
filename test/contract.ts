import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { z } from "zod";
import { impliedErrors, type Route } from "../src/api/http/route.ts";
import { routes } from "../src/api/routes.ts";
import { ProblemView } from "../src/api/tasks/schemas.ts";
import { errorCodes } from "../src/shared/errors.ts";

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
const compiled = new Map<z.ZodType, ValidateFunction>();

/** Which routes answered with which status in this run. */
export const answered = new Set<string>();

/**
 * Every answer that any test gets is held against what its route declares: the status, the body (nothing more and
 * nothing less than the schema says), and for a problem that the route names its code.
 */
export function checkContract(method: string, path: string, status: number, body: unknown): void {
  const route = routeOf(method, path);
  if (!route) return;
  answered.add(`${route.id} ${status}`);
  const declared = route.responses[status];
  if (declared) {
    if (declared.body) checkBody(declared.body, body, route, status);
    return;
  }
  checkBody(ProblemView, body, route, status);
  const { code } = body as { code: keyof typeof errorCodes };
  if (code !== "internal" && ![...route.errors, ...impliedErrors(route)].includes(code))
    throw new Error(`${route.id} does not declare ${code}`);
  if (errorCodes[code].status !== status) throw new Error(`${route.id} answers ${code} with ${status}`);
}

function checkBody(schema: z.ZodType, body: unknown, route: Route, status: number): void {
  const validate = compiled.get(schema) ?? ajv.compile(z.toJSONSchema(schema, { io: "output" }));
  compiled.set(schema, validate);
  if (validate(body)) return;
  const reasons = ajv.errorsText(validate.errors, { separator: "\n  " });
  throw new Error(`${route.id} ${status} is not what it declares:\n  ${reasons}\n  ${JSON.stringify(body)}`);
}

/** In the order of mounting, so that `/v1/messages/unseen` is not taken for an id. */
function routeOf(method: string, path: string): Route | undefined {
  const [pathname] = path.split("?");
  return routes.find((route) => route.method === method.toLowerCase() && patternOf(route.path).test(pathname!));
}

const patterns = new Map<string, RegExp>();

function patternOf(path: string): RegExp {
  const pattern = patterns.get(path) ?? new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}/?$`);
  patterns.set(path, pattern);
  return pattern;
}
