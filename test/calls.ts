import { randomBytes } from "node:crypto";
import { expect } from "chai";
import type { ApiDeps } from "../src/api/deps.ts";
import { addUser } from "../src/api/users/create-user.ts";
import { hashPassword } from "../src/api/users/passwords.ts";
import { presentOwnUser } from "../src/api/users/present.ts";
import { CreateUserInput } from "../src/api/users/schemas.ts";
import { checkContract } from "./contract.ts";

/** An answer with its body read; JSON where it is JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes back
  readonly body: any;
}

export interface CallOptions {
  /** Who is asking, in demo mode. */
  readonly as?: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

interface Reachable {
  readonly url: string;
}

export async function call(
  { url }: Reachable,
  method: string,
  path: string,
  { as, body, headers = {}, signal }: CallOptions = {},
): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(as !== undefined && { "x-user-id": String(as) }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  const answer = {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== "" ? JSON.parse(text) : text,
  };
  checkContract(method, path, answer.status, answer.body);
  return answer;
}

export const get = (world: Reachable, path: string, as?: number): Promise<Answer> =>
  call(world, "GET", path, as === undefined ? {} : { as });

export const post = (world: Reachable, path: string, body: unknown, as?: number): Promise<Answer> =>
  call(world, "POST", path, { body, ...(as !== undefined && { as }) });

export interface Person {
  readonly id: number;
  readonly username: string;
}

const unique = (): string => randomBytes(5).toString("hex");

/** Everybody's whom `buildUser` makes. */
const PASSWORD = "Passw0rd!";
let hashed: Promise<string> | undefined;

/** Signs up; in this process without hashing the same password once more, which takes longer than all the rest. */
export async function buildUser(world: Reachable & { deps?: ApiDeps }, overrides: object = {}): Promise<Person> {
  const body = { username: `user-${unique()}`, password: PASSWORD, ...overrides };
  if (world.deps && body.password === PASSWORD) {
    const { password, ...user } = CreateUserInput.parse(body);
    hashed ??= hashPassword(password);
    return presentOwnUser(await addUser({ ...user, passwordHash: await hashed }, world.deps));
  }
  const answer = await post(world, "/v1/users", body);
  expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
  return answer.body;
}

/** One after the other, so that their ids go up. */
export async function buildUsers(world: Parameters<typeof buildUser>[0], count: number): Promise<Person[]> {
  const people: Person[] = [];
  while (people.length < count) people.push(await buildUser(world));
  return people;
}

/** A group owned by the first of its members. */
export async function buildRoom(world: Reachable, members: readonly Person[], overrides: object = {}) {
  const [owner, ...others] = members;
  const body = { name: `room-${unique()}`, member_ids: others.map(({ id }) => id), ...overrides };
  const answer = await post(world, "/v1/rooms", body, owner!.id);
  expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
  return answer.body as { id: number; name: string };
}

/** Sends and waits until it is stored. */
export async function say(world: Reachable, from: Person, path: string, text: string) {
  const answer = await call(world, "POST", `${path}/messages`, {
    as: from.id,
    body: { text },
    headers: { prefer: "wait=10" },
  });
  expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
  return answer.body as { id: string; seq: number; room_id: number; text: string };
}

export const toRoom = ({ id }: { id: number }): string => `/v1/rooms/${id}`;
export const toUser = ({ id }: { id: number }): string => `/v1/users/${id}`;

/** A problem document with this code, and these fields in its errors. */
export function expectProblem(answer: Answer, status: number, code: string, ...paths: string[]): void {
  expect({ status: answer.status, code: answer.body.code }, JSON.stringify(answer.body)).to.deep.equal({
    status,
    code,
  });
  expect(answer.headers.get("content-type")).to.match(/^application\/problem\+json/);
  expect(answer.body).to.include({ status, type: `urn:parley:problem:${code}` });
  expect(answer.body.request_id).to.equal(answer.headers.get("x-request-id"));
  if (paths.length > 0)
    expect(answer.body.errors.map((error: { path: string }) => error.path)).to.include.members(paths);
}
