/** The few key-value needs: caches and memories that may be lost, never the truth. */
export interface Store {
  get(key: string): Promise<string | null>;
  getMany(keys: readonly string[]): Promise<(string | null)[]>;
  /** Gets and deletes, so that of many who ask at once one gets it. */
  take(key: string): Promise<string | null>;
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /** Sets the key if nobody has; answers what it holds now. */
  setIfAbsent(key: string, value: string, ttlMs: number): Promise<string>;
  delete(key: string): Promise<void>;
  /** Forgets everything, of this system alone. */
  clear(): Promise<void>;
}

const DAY_MS = 24 * 3_600_000;

/** Every key is made here, and each has a time to live. */
export const keys = {
  /** Which generation of the users list holds; a change to any user makes the next one. */
  usersVersion: () => "users:version",
  usersPage: (version: string, query: string) => `users:page:${version}:${query}`,
  /** What a sender's key was used for. */
  sendKey: (senderId: number, clientKey: string) => `send:${senderId}:${clientKey}`,
  /** Which process has last seen a user. */
  presence: (userId: number) => `presence:${userId}`,
  adminSession: (session: string) => `admin:${session}`,
  /** When any worker was last there. */
  workerSeen: () => "worker:seen",
  ticket: (ticket: string) => `ticket:${ticket}`,
} as const;

export const ttl = {
  // Twice the time after which it is refreshed, and some.
  presenceMs: 50_000,
  // After this nobody counts as there: longer than a worker that was killed takes to come back.
  workerSeenMs: 15_000,
  ticketMs: 30_000,
  adminSessionMs: 15 * 60_000,
  usersVersionMs: DAY_MS,
  // Long enough to be worth it, short enough that the memory of a thousand different queries goes away by itself.
  usersPageMs: 10 * 60_000,
  sendKeyMs: 2 * DAY_MS,
} as const;
