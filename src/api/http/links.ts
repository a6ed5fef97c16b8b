/** RFC 8288: the same path with another cursor. */
export function linkHeader(links: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const parts = Object.entries(links)
    .filter(([, query]) => query !== undefined)
    .map(([rel, query]) => `<?${query}>; rel="${rel}"`);
  return parts.length === 0 ? {} : { Link: parts.join(", ") };
}

/** The position from which the event feed goes on: `<epoch>_<16 digits>`, so that texts sort as positions do. */
export const offsetOf = (epoch: string, pos: number): string => `${epoch}_${String(pos).padStart(16, "0")}`;
