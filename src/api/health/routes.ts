import { z } from "zod";
import { defineRoute, reply } from "../http/route.ts";
import { ReadyView, readiness } from "./readiness.ts";

export const healthRoutes = [
  defineRoute({
    id: "healthz",
    method: "get",
    path: "/healthz",
    tag: "Health",
    summary: "Alive",
    access: "public",
    budget: "none",
    responses: { 200: { description: "This process answers", body: z.object({ status: z.literal("alive") }) } },
    errors: [],
    handle: async () => reply(200, { status: "alive" as const }),
  }),
  defineRoute({
    id: "readyz",
    method: "get",
    path: "/readyz",
    tag: "Health",
    summary: "Can it do its work, and if not, what is missing",
    access: "public",
    budget: "none",
    responses: {
      200: { description: "Everything is there", body: ReadyView },
      503: { description: "Something is missing", body: ReadyView },
    },
    errors: [],
    async handle(_, { deps }) {
      const ready = await readiness(deps);
      return ready.status === "ready" ? reply(200, ready) : reply(503, ready);
    },
  }),
];
