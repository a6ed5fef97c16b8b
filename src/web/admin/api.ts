import type { Answer, Message, Method, RequestOptions } from "../../client/index.ts";
import { client } from "../client.ts";
import type * as views from "./views.ts";

async function ask<T>(method: Method, path: string, options?: RequestOptions): Promise<T> {
  const answer: Answer<T> = await client.request<T>(method, path, options);
  return answer.body;
}

type After = string | undefined;

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** What the desk asks for. */
export const api = {
  async users(q: string, state: string, after: After): Promise<Page<views.AdminUser>> {
    const query = { q: q || undefined, state: state || undefined, after };
    const { users, next } = await ask<views.AdminUsers>("GET", "/v1/admin/users", { query });
    return { items: users, next };
  },
  user: (id: string) => ask<views.AdminUserWithAccess>("GET", `/v1/admin/users/${id}`),
  ban: (id: number, reason: string) =>
    ask<views.AdminUser>("PUT", `/v1/admin/users/${id}/ban`, { body: reason ? { reason } : {} }),
  unban: (id: number) => ask<void>("DELETE", `/v1/admin/users/${id}/ban`),
  signOutEverywhere: (id: number) => ask<void>("DELETE", `/v1/admin/users/${id}/sessions`),
  setAdmin: (id: number, is_admin: boolean) => ask<unknown>("PATCH", `/v1/users/${id}`, { body: { is_admin } }),

  async rooms(q: string, kind: string, member_id: number | undefined, after: After): Promise<Page<views.AdminRoom>> {
    const query = { q: q || undefined, kind: kind || undefined, member_id, after };
    const { rooms, next } = await ask<views.AdminRooms>("GET", "/v1/admin/rooms", { query });
    return { items: rooms, next };
  },
  room: (id: string) => ask<views.AdminRoom>("GET", `/v1/admin/rooms/${id}`),
  async messages(room: number, before: After): Promise<Page<Message>> {
    const path = `/v1/admin/rooms/${room}/messages`;
    const { messages, next } = await ask<views.GroupMessages>("GET", path, { query: { before } });
    return { items: messages, next };
  },
  reported: (id: string) => ask<views.Reported>("GET", `/v1/admin/messages/${id}`),
  deleteRoom: (id: number) => client.rooms.delete(id),
  deleteMessage: (id: string) => client.deleteMessage(id),

  clients: async () => (await ask<{ clients: views.ApiClient[] }>("GET", "/v1/clients")).clients,
  createClient: (name: string, scopes: readonly string[]) =>
    ask<views.NewApiClient>("POST", "/v1/clients", { body: { name, scopes } }),
  revokeClient: (id: string) => ask<void>("DELETE", `/v1/clients/${id}`),

  async jobs(after: After): Promise<Page<views.FailedJob>> {
    const { jobs, next } = await ask<views.FailedJobs>("GET", "/v1/admin/jobs", { query: { after } });
    return { items: jobs, next };
  },
  job: (id: string) => ask<views.JobWithData>("GET", `/v1/admin/jobs/${id}`),
  retry: (id: string) => ask<void>("POST", `/v1/admin/jobs/${id}/retry`),
  retryAll: () => ask<views.Retried>("POST", "/v1/admin/jobs/retry"),

  async actions(after: After): Promise<Page<views.Action>> {
    const { actions, next } = await ask<views.Actions>("GET", "/v1/admin/actions", { query: { after } });
    return { items: actions, next };
  },
  health: () => ask<views.Health>("GET", "/v1/admin/health"),
  ticket: async () => (await ask<{ ticket: string }>("POST", "/v1/auth/ticket")).ticket,
} as const;
