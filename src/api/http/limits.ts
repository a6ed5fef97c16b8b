import { RateLimiterRes } from "rate-limiter-flexible";
import type { Backend, Limiter } from "../../shared/backend/backend.ts";
import type { Env } from "../../shared/env.ts";
import { AppError } from "../../shared/errors.ts";
import type { Headers } from "./route.ts";

export type BudgetName = "sends" | "reads" | "logins";

const WINDOW_S = 60;
/** An address may stand for many people. */
const ADDRESS_FACTOR = 10;
/** Wrong passwords for one account, or from one address, before it has to wait. */
const LOGIN_FAILURES = 10;
/** The store is asked for this part of a budget at a time, so that most requests need not ask it. */
const LEASE_PART = 50;
const MOST_LEASES = 20_000;

interface Taken {
  readonly allowed: boolean;
  readonly remaining: number;
  readonly resetMs: number;
}

interface Lease {
  left: number;
  readonly remaining: number;
  readonly resetsAt: number;
}

/** One budget, shared by all processes through the store; each takes a part of it at a time. */
class Budget {
  readonly name: string;
  readonly points: number;
  readonly #limiter: Limiter;
  readonly #part: number;
  readonly #leases = new Map<string, Lease>();
  /** Who is asking the store for the next part. */
  readonly #asking = new Map<string, Promise<Taken>>();
  /** Until when there is nothing left: what is refused anyway asks the store no more. */
  readonly #spent = new Map<string, number>();

  constructor(backend: Backend, name: string, points: number) {
    this.name = name;
    this.points = points;
    this.#limiter = backend.createLimiter({ name, points, windowS: WINDOW_S });
    this.#part = partOf(points);
  }

  async take(key: string): Promise<Taken> {
    for (;;) {
      const now = performance.now();
      const spentForMs = this.spentForMs(key, now);
      if (spentForMs > 0) return { allowed: false, remaining: 0, resetMs: spentForMs };
      const lease = this.#leases.get(key);
      if (lease && lease.resetsAt > now && lease.left > 0) {
        lease.left--;
        return { allowed: true, remaining: lease.remaining + lease.left, resetMs: lease.resetsAt - now };
      }
      // One part for all who ask at once: if each took their own, a few would take the whole budget.
      const asking = this.#asking.get(key);
      if (!asking) return this.#ask(key, now);
      await asking;
    }
  }

  #ask(key: string, now: number): Promise<Taken> {
    const asking = this.#takePart(key, now);
    // Parts of one are nobody else's.
    if (this.#part > 1) this.#asking.set(key, asking);
    return asking;
  }

  async #takePart(key: string, now: number): Promise<Taken> {
    try {
      const { allowed, remaining, resetMs } = await consume(this.#limiter, key, this.#part);
      if (allowed) this.#keep(key, { left: this.#part - 1, remaining, resetsAt: now + resetMs });
      else this.#spend(key, now + resetMs);
      return { allowed, remaining: allowed ? remaining + this.#part - 1 : 0, resetMs };
    } finally {
      this.#asking.delete(key);
    }
  }

  /** For how long nothing is left, as far as this process has heard; 0 if something is, or nobody knows. */
  spentForMs(key: string, now: number): number {
    if (this.#spent.size === 0) return 0;
    const until = this.#spent.get(key) ?? 0;
    if (until <= now) this.#spent.delete(key);
    return Math.max(0, until - now);
  }

  #spend(key: string, until: number): void {
    if (this.#spent.size >= MOST_LEASES) this.#spent.clear();
    this.#spent.set(key, until);
  }

  #keep(key: string, lease: Lease): void {
    this.#leases.delete(key);
    this.#leases.set(key, lease);
    // The oldest goes: what was left of it is given up, which only makes the limit stricter.
    if (this.#leases.size > MOST_LEASES) this.#leases.delete(this.#leases.keys().next().value!);
  }
}

/** A divisor, so that the last part is used up as well. */
function partOf(points: number): number {
  for (let part = Math.max(1, Math.floor(points / LEASE_PART)); part > 1; part--) if (points % part === 0) return part;
  return 1;
}

async function consume(limiter: Limiter, key: string, points: number): Promise<Taken> {
  try {
    const result = await limiter.consume(key, points);
    return { allowed: true, remaining: result.remainingPoints, resetMs: result.msBeforeNext };
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    return { allowed: false, remaining: 0, resetMs: refused.msBeforeNext };
  }
}

/** How much anybody may do in a minute: per user and per address, sends, reads and sign-ins each for themselves. */
export class Limits {
  /** Requests that were too many. */
  readonly refused: Record<BudgetName | "passwords", number> = { sends: 0, reads: 0, logins: 0, passwords: 0 };
  readonly #on: boolean;
  readonly #perUser: Readonly<Record<BudgetName, Budget>>;
  readonly #perAddress: Readonly<Record<BudgetName, Budget>>;
  readonly #failures: Limiter;
  readonly #checking = new Map<string, Promise<void>>();

  constructor({ env, backend }: { env: Env; backend: Backend }) {
    this.#on = (env.RATE_LIMITS ?? (env.AUTH_MODE === "demo" ? "off" : "on")) === "on";
    const budgets = (prefix: string, factor: number) => ({
      sends: new Budget(backend, `${prefix}sends`, env.RATE_SENDS * factor),
      reads: new Budget(backend, `${prefix}reads`, env.RATE_READS * factor),
      logins: new Budget(backend, `${prefix}logins`, env.RATE_LOGINS * factor),
    });
    this.#perUser = budgets("", 1);
    this.#perAddress = budgets("address-", ADDRESS_FACTOR);
    this.#failures = backend.createLimiter({ name: "login-failures", points: LOGIN_FAILURES, windowS: WINDOW_S });
  }

  /** Takes one from the budgets of this request; answers the headers that tell how much is left. */
  async take(name: BudgetName, userId: number | undefined, address: string): Promise<Headers> {
    if (!this.#on) return {};
    const taking = [this.#taken(this.#perAddress[name], networkOf(address))];
    if (userId !== undefined) taking.push(this.#taken(this.#perUser[name], String(userId)));
    const budgets = await Promise.all(taking);
    const tightest = budgets.reduce((a, b) => (b.taken.remaining < a.taken.remaining ? b : a));
    const refused = budgets.find(({ taken }) => !taken.allowed);
    if (!refused) return headersOf(tightest);
    throw this.#refusal(name, refused.budget, refused.taken);
  }

  /**
   * Who can't show who they are is counted by the address alone: what they showed had to be looked up. It is not looked
   * up any more once the address has used up its budget.
   */
  identified<T>(name: BudgetName | "none", address: string, identify: () => Promise<T>): Promise<T> {
    return !this.#on || name === "none" ? identify() : this.#identifiedWithin(name, address, identify);
  }

  async #identifiedWithin<T>(name: BudgetName, address: string, identify: () => Promise<T>): Promise<T> {
    const budget = this.#perAddress[name];
    const resetMs = budget.spentForMs(networkOf(address), performance.now());
    if (resetMs > 0) throw this.#refusal(name, budget, { allowed: false, remaining: 0, resetMs });
    try {
      return await identify();
    } catch (refused) {
      await this.take(name, undefined, address);
      throw refused;
    }
  }

  #refusal(name: BudgetName, budget: Budget, taken: Taken): AppError {
    this.refused[name]++;
    return tooMany(`too many ${name} in a minute`, taken.resetMs, headersOf({ budget, taken }));
  }

  async #taken(budget: Budget, key: string) {
    return { budget, taken: await budget.take(key) };
  }

  /**
   * Wrong passwords are counted whether limits are on or off: this one protects people, not the server. Those for one
   * account, or from one address, are looked at one after the other, so that many at once are no way around it.
   */
  checkPassword(account: string, address: string, isRight: () => Promise<boolean>): Promise<boolean> {
    const byAccount = `account:${account}`;
    const keys = [byAccount, `address:${networkOf(address)}`];
    const look = async (): Promise<boolean> => {
      const counted = await Promise.all(keys.map((key) => this.#failures.get(key)));
      const full = counted.find((result) => result !== null && result.consumedPoints >= LOGIN_FAILURES);
      if (full) this.refused.passwords++;
      if (full) throw tooManyFailures(full.msBeforeNext);
      const right = await isRight();
      // The account has shown who it is; what the address tried on others still counts.
      if (right) await this.#failures.delete(byAccount);
      else await Promise.all(keys.map((key) => consume(this.#failures, key, 1)));
      return right;
    };
    return this.#oneByOne(keys[1]!, () => this.#oneByOne(byAccount, look));
  }

  async #oneByOne<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#checking.get(key);
    const mine = (before ?? Promise.resolve()).then(work, work);
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#checking.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#checking.get(key) === settled) this.#checking.delete(key);
    }
  }
}

const tooManyFailures = (resetMs: number): AppError => tooMany("too many wrong passwords", resetMs, {});

function tooMany(what: string, resetMs: number, headers: Headers): AppError {
  const seconds = Math.max(1, Math.ceil(resetMs / 1_000));
  const text = `${what[0]!.toUpperCase()}${what.slice(1)}; try again in ${seconds} s`;
  return new AppError("rate_limited", text, { headers: { ...headers, "Retry-After": String(seconds) } });
}

/** As the IETF's draft on rate limit headers has them. */
const headersOf = ({ budget, taken }: { budget: Budget; taken: Taken }): Headers => ({
  "RateLimit-Policy": `"${budget.name}";q=${budget.points};w=${WINDOW_S}`,
  RateLimit: `"${budget.name}";r=${Math.max(0, taken.remaining)};t=${Math.ceil(taken.resetMs / 1_000)}`,
});

/** In IPv6 one customer has a whole /64; an IPv4 address in its IPv6 form is itself. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:/, "");
  return plain.includes(":") ? plain.split(":").slice(0, 4).join(":") : plain;
}
