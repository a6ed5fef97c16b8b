import { z } from "zod";
import { linkHeader } from "../http/links.ts";
import { defineRoute, Raw, reply } from "../http/route.ts";
import { idParam } from "../http/schemas.ts";
import { createUser } from "./create-user.ts";
import { deactivateUser } from "./deactivate-user.ts";
import { getOwnUser, getUser } from "./get-user.ts";
import { listUsers } from "./list-users.ts";
import { assertGoodPassword } from "./passwords.ts";
import { presentOwnUser, presentUser } from "./present.ts";
import {
  CreateUserInput,
  type ListUsers,
  ListUsersQuery,
  OwnUserView,
  UpdateUserInput,
  UsersView,
  UserView,
} from "./schemas.ts";
import { updateUser } from "./update-user.ts";

const params = z.object({ id: idParam });

export const userRoutes = [
  defineRoute({
    id: "createUser",
    method: "post",
    path: "/v1/users",
    tag: "Users",
    summary: "Sign up",
    access: "public",
    budget: "logins",
    body: CreateUserInput,
    responses: { 201: { description: "The new user", body: OwnUserView, headers: { Location: "The user" } } },
    errors: ["validation_failed", "username_taken", "email_taken", "database_unavailable"],
    async handle({ body }, { deps }) {
      assertGoodPassword(body.password, body.username);
      const user = await createUser(body, deps);
      return reply(201, presentOwnUser(user), { Location: `/v1/users/${user.id}` });
    },
  }),
  defineRoute({
    id: "listUsers",
    method: "get",
    path: "/v1/users",
    tag: "Users",
    summary: "All users, by id",
    description: "Cached; a change to any user drops the cache. `X-Cache` says HIT or MISS; `ETag` answers 304.",
    access: "caller-or-demo",
    query: ListUsersQuery,
    headers: z.object({ "if-none-match": z.string().optional().meta({ description: "The `ETag` of an answer" }) }),
    responses: {
      200: {
        description: "A page of users",
        body: UsersView,
        headers: { ETag: "Of this very answer", "X-Cache": "HIT or MISS", Link: "next" },
      },
      304: { description: "Nothing has changed since the answer with this ETag" },
    },
    errors: ["validation_failed", "database_unavailable"],
    async handle({ query, headers }, { deps }) {
      const {
        page: { json, etag },
        hit,
      } = await listUsers(query, deps);
      // `no-cache` means "ask me each time": nobody keeps what the server could not take back.
      const more = { ETag: etag, "X-Cache": hit ? "HIT" : "MISS", "Cache-Control": "private, no-cache" };
      if (matches(headers["if-none-match"], etag)) return { ...reply(304), headers: more };
      return reply(200, new Raw(json), { ...more, ...nextLink(json, query) });
    },
  }),
  defineRoute({
    id: "getMe",
    method: "get",
    path: "/v1/me",
    tag: "Users",
    summary: "Who I am",
    access: "caller",
    responses: { 200: { description: "Me", body: OwnUserView } },
    errors: ["validation_failed", "database_unavailable"],
    handle: async (_, { caller, deps }) => reply(200, presentOwnUser(await getOwnUser(caller.id, deps))),
  }),
  defineRoute({
    id: "getUser",
    method: "get",
    path: "/v1/users/:id",
    tag: "Users",
    summary: "One user",
    access: "caller",
    params,
    responses: { 200: { description: "The user", body: UserView } },
    errors: ["validation_failed", "user_not_found", "database_unavailable"],
    handle: async ({ params: { id } }, { deps }) => reply(200, presentUser(await getUser(id, deps))),
  }),
  defineRoute({
    id: "updateUser",
    method: "patch",
    path: "/v1/users/:id",
    tag: "Users",
    summary: "Change my account",
    access: "caller",
    params,
    body: UpdateUserInput,
    responses: { 200: { description: "The user as it is now", body: OwnUserView } },
    errors: [
      "validation_failed",
      "not_allowed",
      "last_admin",
      "wrong_password",
      "user_not_found",
      "username_taken",
      "email_taken",
      "database_unavailable",
    ],
    handle: async ({ params: { id }, body }, scope) => reply(200, presentOwnUser(await updateUser(id, body, scope))),
  }),
  defineRoute({
    id: "deactivateUser",
    method: "delete",
    path: "/v1/users/:id",
    tag: "Users",
    summary: "Close my account",
    description: "Messages stay, groups are left, the name is free again.",
    access: "caller",
    params,
    responses: { 204: { description: "Done" } },
    errors: ["validation_failed", "not_allowed", "last_admin", "user_not_found", "database_unavailable"],
    async handle({ params: { id } }, scope) {
      await deactivateUser(id, scope);
      return reply(204);
    },
  }),
];

const matches = (ifNoneMatch: string | undefined, etag: string): boolean =>
  (ifNoneMatch ?? "").split(",").some((tag) => ["*", etag].includes(tag.trim().replace(/^W\//, "")));

/** The same question, further on. The cursor is read from the end of the page: no need to parse a thousand users. */
function nextLink(json: Buffer, { after: _, ...query }: ListUsers): Record<string, string> {
  const next = /"next":"(\d+)"\}$/.exec(json.toString("latin1", json.length - 40))?.[1];
  const asked = Object.entries(query).filter(([, value]) => value !== undefined);
  const parameters = new URLSearchParams(asked.map(([name, value]): [string, string] => [name, String(value)]));
  return linkHeader({ next: next && `after=${next}&${parameters}` });
}
