/** Said instead of what was written: where an address ends before it should, a part of a password is in what comes next. */
export const UNREADABLE =
  "can't be read as an address; in a password / is written as %2F, @ as %40, % as %25 and # as %23";

/** A socket's has no host: it is named in the query. */
export const withHost = (url: string): string => url.replace("@/", "@host/");

/** A process waits for a server that is away; an address that nobody can read it would wait for in vain. */
export function isAddress(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && parsed.hash === "" && !/%(?![\da-f]{2})/i.test(parsed.username + parsed.password);
}
