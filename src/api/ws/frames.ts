import { z } from "zod";
import { AppError, problemOf } from "../../shared/errors.ts";
import { clientKey, idInBody, messageText } from "../http/schemas.ts";
import { parse } from "../http/validation.ts";
import { MarkSeenInput } from "../messages/schemas.ts";

/** What answers a frame carries this back. */
const ref = z.union([z.string().max(200), z.number()]).optional();
const Frame = z.strictObject({ event: z.string().max(50), data: z.unknown().optional(), ref });

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
export type FrameData<E extends ClientEvent> = z.output<(typeof clientFrames)[E]>;
export type Ref = z.output<typeof ref>;

export interface Incoming {
  readonly event: ClientEvent;
  readonly data: unknown;
  readonly ref: Ref;
}

/** A frame that can't be read is answered like any other: with what is wrong with it. */
export function readFrame(text: string): Incoming {
  const frame = parse(Frame, parseJson(text));
  if (!Object.hasOwn(clientFrames, frame.event)) {
    const known = Object.keys(clientFrames).join(", ");
    throw new FrameError(
      new AppError("validation_failed", `event: must be one of ${known}`, {
        errors: [{ path: "event", message: `must be one of ${known}` }],
      }),
      frame.ref,
    );
  }
  const event = frame.event as ClientEvent;
  try {
    return { event, data: parse(clientFrames[event], frame.data), ref: frame.ref };
  } catch (error) {
    throw new FrameError(error as AppError, frame.ref);
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

export const errorText = (error: AppError, of?: Ref): string => frameText("error", problemOf(error), of);
