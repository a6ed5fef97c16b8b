import { z } from "zod";
import { userStatuses } from "../../shared/db/entities.ts";
import { clientKey, idParam, messageText, nameText, shortText, storableText, waitParam } from "../http/schemas.ts";
import { CreateUserInput } from "../users/schemas.ts";

export const pathId = z.object({ id: idParam });

/** The clients of these paths send what they like besides; it is passed over, as it always was. */
export const acting = z.object({ user_id: idParam });
export const maybeActing = z.object({ user_id: idParam.optional() });
export const waiting = z.object({ user_id: idParam, wait: waitParam });

const { username, email, first_name, last_name } = CreateUserInput.shape;
const emptyAsNone = z.literal("").transform(() => undefined);

export const newUser = z.object({
  username,
  // These paths never asked for more, and exist in demo mode only.
  password: z.string().min(1).max(128),
  email: z.union([emptyAsNone, email]).optional(),
  first_name,
  last_name,
  profile: z
    .object({
      status: z.enum(userStatuses).nullable().optional(),
      status_msg: z
        .union([shortText(255), z.number().transform(String)])
        .nullable()
        .optional(),
    })
    .default({}),
});

const name = storableText(150);

export const userFilters = z.object({
  id: idParam.optional(),
  username: name.optional(),
  first_name: name.optional(),
  last_name: name.optional(),
  profile__status: z.enum(userStatuses).optional(),
});

export const newRoom = z.object({
  room_name: nameText(100),
  room_member: z
    .array(z.object({ username: name.min(1) }))
    .max(1_000)
    .default([]),
});

/** As JSON or as a form, where every value is text. */
export const newMessage = z.object({
  from: z.union([z.number().int().transform(String), z.string()]).pipe(idParam),
  text: messageText,
});

/** Not of old, but harmless to who does not know it: what is sent again under one key is stored once. */
export const retryKey = z.object({ "idempotency-key": clientKey.optional() });
