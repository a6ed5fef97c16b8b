import { z } from "zod";
import { AppError, problemOf } from "../../shared/errors.ts";
import { clientKey, idInBody, messageText } from "../http/schemas.ts";
import { parse } from "../http/validation.ts";
import { MarkSeenInput } from "../messages/schemas.ts";

/** What answers a frame carries this back. */
const ref = z.union([z.string().max(200), z.number()]).optional();
const oneTarget = (data: { room_id?: number | undefined; to?: number | undefined }): boolean =>
  (data.room_id === undefined) !== (data.to === undefined);

/** What a client may say, by event. */
export const clientFrames = {
  message: z
    .strictObject({
      room_id: idInBody.optional(),
      to: idInBody.optional(),
      text: messageText,
      client_key: clientKey.optional(),
    })
    .refine(oneTarget, { path: ["room_id"], message: "is required (or to, not both)" }),
  read: z.union([z.strictObject({ message_id: z.uuid() }), MarkSeenInput]),
  typing: z.strictObject({ room_id: idInBody }),
  subscribe: z.strictObject({ offset: z.string().max(100) }),
  ping: z.unknown(),
} as const;

export type ClientEvent = keyof typeof clientFrames;

const Frame = z.strictObject({
  event: z.enum(Object.keys(clientFrames) as ClientEvent[]),
  data: z.unknown().optional(),
  ref,
});
export type FrameData<E extends ClientEvent> = z.output<(typeof clientFrames)[E]>;
export type Ref = z.output<typeof ref>;

export interface Incoming {
  readonly event: ClientEvent;
  readonly data: unknown;
  readonly ref: Ref;
}

/** A frame that can't be read is answered like any other: with what is wrong with it, and with its `ref` if it has one. */
export function readFrame(text: string): Incoming {
  const json = parseJson(text);
  const parsedRef = ref.safeParse((json as { ref?: unknown } | null)?.ref);
  const of = parsedRef.success ? parsedRef.data : undefined;
  try {
    const { event, data } = parse(Frame, json);
    return { event, data: parse(clientFrames[event], data ?? {}), ref: of };
  } catch (error) {
    throw new FrameError(error as AppError, of);
  }
}

/** An error together with the `ref` of the frame that it is about. */
export class FrameError extends Error {
  readonly error: AppError;
  readonly ref: Ref;
  constructor(error: AppError, ref: Ref) {
    super(error.message);
    this.error = error;
    this.ref = ref;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("malformed_json", "A frame must be a JSON object", { cause });
  }
}

export const frameText = (event: string, data: unknown, of?: Ref): string =>
  JSON.stringify({ event, data, ...(of !== undefined && { ref: of }) });

export const errorText = (error: AppError, requestId: string, of?: Ref): string =>
  frameText("error", problemOf(error, requestId), of);
