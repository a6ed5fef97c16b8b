import { z } from "zod";
import { scopes } from "../auth/credentials.ts";
import { scopeList } from "../auth/schemas.ts";
import { defineRoute, reply } from "../http/route.ts";
import { id, nameText, time, uuidParam } from "../http/schemas.ts";
import { createClient, getClient, listClients, revokeClient } from "./clients.ts";

export const ClientView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    scopes: z.array(z.enum(scopes)),
    created_by: id.nullable(),
    created_at: time,
    last_used_at: time.nullable(),
  })
  .meta({ id: "Client" });
export const NewClientView = ClientView.extend({
  api_key: z.string().meta({ description: "`<id>:<secret>` for X-API-Key, shown this once; only a hash is kept" }),
}).meta({ id: "NewClient" });
const ClientsView = z.object({ clients: z.array(ClientView) }).meta({ id: "Clients" });

const CreateClientInput = z.strictObject({ name: nameText(100), scopes: scopeList.default(["read", "write"]) });
const params = z.object({ id: uuidParam });
const adminErrors = ["validation_failed", "not_allowed", "database_unavailable"] as const;

/** Servers that speak for their own users: a key, and the user in whose name. */
export const clientRoutes = [
  defineRoute({
    id: "createClient",
    method: "post",
    path: "/v1/clients",
    tag: "Clients",
    summary: "A key for a server",
    description: "Sent as `X-API-Key: <id>:<secret>` with `X-Act-As: <user id>`.",
    access: "admin",
    body: CreateClientInput,
    responses: { 201: { description: "The client and its key, shown this once", body: NewClientView } },
    errors: [...adminErrors],
    async handle({ body }, scope) {
      const client = await createClient(body.name, body.scopes, scope);
      return reply(201, client, { "Cache-Control": "no-store", Location: `/v1/clients/${client.id}` });
    },
  }),
  defineRoute({
    id: "listClients",
    method: "get",
    path: "/v1/clients",
    tag: "Clients",
    summary: "All clients",
    access: "admin",
    responses: { 200: { description: "The clients, without their secrets", body: ClientsView } },
    errors: adminErrors,
    handle: async (_, { deps }) => reply(200, { clients: await listClients(deps) }),
  }),
  defineRoute({
    id: "getClient",
    method: "get",
    path: "/v1/clients/:id",
    tag: "Clients",
    summary: "One client",
    access: "admin",
    params,
    responses: { 200: { description: "The client", body: ClientView } },
    errors: [...adminErrors, "client_not_found"],
    handle: async (input, { deps }) => reply(200, await getClient(input.params.id, deps)),
  }),
  defineRoute({
    id: "revokeClient",
    method: "delete",
    path: "/v1/clients/:id",
    tag: "Clients",
    summary: "Revoke a client's key",
    access: "admin",
    params,
    responses: { 204: { description: "Done" } },
    errors: [...adminErrors, "client_not_found"],
    async handle(input, scope) {
      await revokeClient(input.params.id, scope);
      return reply(204);
    },
  }),
];
