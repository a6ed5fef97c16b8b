const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayAndYearFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const shortDayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

const DAY_MS = 86_400_000;

const startOfDay = (at: Date): number => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
/** Rounded, because a day may have 23 or 25 hours. */
const daysBetween = (at: Date, now: Date): number => Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS);

export const isSameDay = (a: string, b: string): boolean => startOfDay(new Date(a)) === startOfDay(new Date(b));

/** What stands between the messages of two days. */
export function dayName(time: string, now = new Date()): string {
  const at = new Date(time);
  const days = daysBetween(at, now);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  return days < 180 ? dayFormat.format(at) : dayAndYearFormat.format(at);
}

export const clockTime = (time: string): string => timeFormat.format(new Date(time));

/** As short as it goes, for lists. */
export function shortTime(time: string, now = new Date()): string {
  const at = new Date(time);
  const days = daysBetween(at, now);
  if (days <= 0) return clockTime(time);
  return days === 1 ? "Yesterday" : shortDayFormat.format(at);
}
