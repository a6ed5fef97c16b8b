import { isAddress, UNREADABLE } from "../address.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

interface Access {
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

/** Where Redis is: one server, a cluster that these nodes belong to, or the master that these Sentinels name. */
export type RedisPlace =
  | { readonly kind: "one"; readonly url: string }
  | ({ readonly kind: "cluster"; readonly nodes: readonly Address[] } & Access)
  | ({ readonly kind: "sentinel"; readonly sentinels: readonly Address[]; readonly master: string } & SentinelAccess);

interface SentinelAccess extends Access {
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
}

const FORMS =
  "must look like redis://host:6379, redis+cluster://host:6379,host:6379 or redis+sentinel://host:26379,host:26379/name" +
  " (rediss… for TLS)";
const SHAPE = /^redis(s)?(?:\+(cluster|sentinel))?:\/\/(?:([^/?\s]*)@)?([^@/?\s]*)(?:\/([^?\s]*))?(?:\?(\S*))?$/;
const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:]+))(?::(\d{1,5}))?$/;

export class RedisUrlError extends Error {
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    super(mistakes.join("; "));
    this.mistakes = mistakes;
  }
}

/** All that is wrong is told at once; no password is. */
export function parseRedisUrl(url: string): RedisPlace {
  const found = SHAPE.exec(url);
  if (!found) throw new RedisUrlError([FORMS]);
  const [, s, kind, user = "", hosts = "", path = "", query = ""] = found;
  // What was meant for the password goes on behind the host, and is shown to nobody.
  if (`${path}${query}`.includes("@")) throw new RedisUrlError([UNREADABLE]);
  const mistakes: string[] = [];
  if (!kind) {
    if (hosts.includes(",")) mistakes.push("names several servers: that is redis+cluster:// or redis+sentinel://");
    else if (!isAddress(url)) mistakes.push(UNREADABLE);
    if (!/^\d*$/.test(path)) mistakes.push("its path must be the number of a database, as in /0");
    return orMistakes(mistakes, () => ({ kind: "one", url }));
  }
  const addresses = addressesIn(hosts, kind === "cluster" ? 6_379 : 26_379, mistakes);
  const access = { ...credentialsIn(user, mistakes), tls: s !== undefined };
  if (kind === "cluster") {
    if (path) mistakes.push(`a cluster has one database and no name: /${path} means nothing`);
    if (query) mistakes.push(`a cluster takes no options: ?${query.split("=")[0]} means nothing`);
    return orMistakes(mistakes, () => ({ kind, nodes: addresses, ...access }));
  }
  if (!/^[\w.-]+$/.test(path))
    mistakes.push("must end with the name by which the Sentinels know the master, as in /mymaster");
  const sentinelAccess = sentinelOptions(query, mistakes);
  return orMistakes(mistakes, () => ({
    kind: "sentinel",
    sentinels: addresses,
    master: path,
    ...access,
    ...sentinelAccess,
  }));
}

function orMistakes(mistakes: readonly string[], place: () => RedisPlace): RedisPlace {
  if (mistakes.length > 0) throw new RedisUrlError(mistakes);
  return place();
}

function addressesIn(list: string, defaultPort: number, mistakes: string[]): Address[] {
  return list.split(",").flatMap((text) => {
    const [, ipv6, name, digits] = ADDRESS.exec(text) ?? [];
    const port = Number(digits ?? defaultPort);
    const host = ipv6 ?? name;
    if (host !== undefined && port >= 1 && port <= 65_535) return [{ host, port }];
    mistakes.push(
      text === "" ? "names a server that is empty: host:port, with commas between" : `${text} is not host:port`,
    );
    return [];
  });
}

/** `user:password@`, `:password@` or nothing; what is not a letter may stand in its %XX form. */
function credentialsIn(text: string, mistakes: string[]): Pick<Access, "username" | "password"> {
  const [username = "", ...rest] = text.split(":");
  try {
    const password = decodeURIComponent(rest.join(":"));
    return { ...(username && { username: decodeURIComponent(username) }), ...(password && { password }) };
  } catch {
    mistakes.push("the user or the password has a % that is no %XX");
    return {};
  }
}

/** Sentinels may ask for a password of their own. */
function sentinelOptions(
  query: string,
  mistakes: string[],
): Pick<SentinelAccess, "sentinelUsername" | "sentinelPassword"> {
  const options = Object.fromEntries(new URLSearchParams(query));
  const known = ["sentinelUsername", "sentinelPassword"];
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length > 0) mistakes.push(`?${unknown.join(", ")}: there is only ${known.join(" and ")}`);
  return options;
}

/** Without user and password: it goes to a screen. */
export function tellPlace(place: RedisPlace): string {
  if (place.kind === "one") {
    const { host, pathname } = new URL(place.url);
    return `${host}${pathname.length > 1 ? pathname : ""}`;
  }
  const list = (place.kind === "cluster" ? place.nodes : place.sentinels).map(({ host, port }) => `${host}:${port}`);
  return place.kind === "cluster"
    ? `the cluster at ${list.join(", ")}`
    : `${place.master} of the Sentinels at ${list.join(", ")}`;
}
