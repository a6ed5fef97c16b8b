import { signal } from "@preact/signals";
import { ParleyClient, Problem, type Session, webStore } from "../client/index.ts";
import { storage } from "./storage.ts";

/** The one client of this page. Tabs share the session: they sign in and out together. */
export const client = new ParleyClient({ url: location.origin, store: webStore(storage) });

export const session = signal<Session | null>(client.session);
/** Whether the last session ended without anybody having said so. */
export const hasExpired = signal(false);

client.onSession((current, why) => {
  hasExpired.value = why === "expired";
  session.value = current;
});

/** What went wrong, as something that can be shown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ status: 0, code: "internal", title: "Something went wrong in this page", detail });
}

/** The page is told by who serves it. */
export const isDemo = document.documentElement.dataset["mode"] === "demo";
