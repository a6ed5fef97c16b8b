import { z } from "zod";

/** Beyond this a number in JSON is no longer exact. */
const MAX_ID = Number.MAX_SAFE_INTEGER;

/** A whole number in a path or a query, where everything is text: no `0x10`, no `1e3`, no blanks. */
const wholeNumber = (min: number, max: number, rangeMessage?: string) =>
  z
    .string()
    .regex(/^-?\d{1,20}$/, "must be a whole number")
    .transform(Number)
    .refine((n) => n >= min && n <= max, rangeMessage ?? `must be from ${min} to ${max}`)
    .meta({ type: "integer", minimum: min, maximum: max });

export const wholeNumberParam = (min: number, max: number) => wholeNumber(min, max);
export const idParam = wholeNumber(1, MAX_ID, "must be a positive whole number");
export const idInBody = z.number().int().min(1).max(MAX_ID);

export const limitParam = (preset: number) =>
  wholeNumber(1, 1_000).default(preset).meta({ description: "At most so many", default: preset });

/** Seconds that a read may wait; most proxies cut a request after 60. */
export const waitParam = wholeNumber(0, 55)
  .default(0)
  .meta({ description: "Seconds to wait if there is nothing yet", default: 0 });

export const deviceParam = z
  .string()
  .regex(/^[\w.:-]{1,64}$/, "must be 1 to 64 letters, digits or . : _ -")
  .optional()
  .meta({ description: "Of two reads that wait for the same device the newer wins" });

export const flagParam = z
  .enum(["true", "false", "1", "0"])
  .default("false")
  .transform((flag) => flag === "true" || flag === "1")
  .meta({ type: "boolean", default: false });

/** In whatever case it was written: it is the same id. */
export const uuidParam = z
  .uuid()
  .transform((text) => text.toLowerCase())
  .meta({ format: "uuid" });
export const cursorParam = z.uuid().optional();
export const cursorOf = (shape: RegExp) =>
  z
    .string()
    .regex(shape, "is not a cursor that an answer gave")
    .optional()
    .meta({ description: "The `next` of the page before" });

/** Text that Postgres can hold: without NUL, and without half a character. */
export const storableText = (max: number) =>
  z
    .string()
    .max(max)
    .refine((text) => text.isWellFormed(), "must be well-formed Unicode")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the control character is what is looked for
    .regex(/^[^\u0000]*$/, "must not contain NUL");

/** What people type, without the blanks around it. */
const typed = (max: number) => z.string().trim().pipe(storableText(max));

export const messageText = typed(4_000)
  .pipe(z.string().min(1))
  .meta({ description: "1 to 4,000 characters after trimming" });
export const shortText = (max: number) => typed(max);
export const nameText = (max: number) => typed(max).pipe(z.string().min(1));

export const clientKey = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[\x20-\x7e]*$/, "must be printable ASCII")
  .meta({ description: "Chosen by the client: what is sent twice under one key is stored once" });

/** A time as it leaves: ISO 8601, milliseconds, UTC. */
export const time = z.iso.datetime();
export const count = z.number().int().nonnegative();
export const id = z.number().int().positive();
export const userRef = z.object({ id, username: z.string() }).meta({ id: "UserRef" });

/** `Date` or what SQL returned. */
export const isoTime = (at: Date | string): string => new Date(at).toISOString();
export const isoTimeOrNull = (at: Date | string | null): string | null => (at === null ? null : isoTime(at));
