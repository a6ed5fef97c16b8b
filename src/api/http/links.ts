/** RFC 8288: the same path with another cursor. */
export function linkHeader(links: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const parts = Object.entries(links)
    .filter(([, query]) => query !== undefined)
    .map(([rel, query]) => `<?${query}>; rel="${rel}"`);
  return parts.length === 0 ? {} : { Link: parts.join(", ") };
}
