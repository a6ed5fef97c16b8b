import { z } from "zod";
import { userStatuses } from "../../shared/db/entities.ts";
import { cursorOf, id, limitParam, shortText, storableText, time } from "../http/schemas.ts";

export const UserView = z
  .object({
    id,
    username: z.string(),
    first_name: z.string(),
    last_name: z.string(),
    status: z.enum(userStatuses),
    status_message: z.string().nullable(),
    created_at: time,
  })
  .meta({ id: "User" });
export type UserView = z.output<typeof UserView>;

/** What somebody sees of themselves, and nobody else does. */
export const OwnUserView = UserView.extend({ email: z.string().nullable(), is_admin: z.boolean() }).meta({
  id: "OwnUser",
});

export const UsersView = z
  .object({ users: z.array(UserView), next: z.string().nullable().meta({ description: "`after=` this for more" }) })
  .meta({ id: "Users" });

const username = z
  .string()
  .trim()
  .min(3)
  .max(32)
  .regex(/^[\p{L}\p{N}@.+_-]*$/u, "may contain letters, digits and @ . + - _ only");
const email = z.string().trim().max(254).pipe(z.email());
const password = z
  .string()
  .min(8)
  .max(128)
  .meta({ description: "8 to 128 characters; not the username, not digits only, not a common one" });
const status = z.enum(userStatuses);

export const CreateUserInput = z.strictObject({
  username,
  password,
  email: email.nullable().optional(),
  first_name: shortText(150).optional(),
  last_name: shortText(150).optional(),
  status: status.optional(),
  status_message: shortText(255).nullable().optional(),
});

export const UpdateUserInput = z.strictObject({
  username: username.optional(),
  password: password.optional().meta({ description: "A new one; ends all other sessions" }),
  current_password: z.string().max(128).optional().meta({ description: "Needed for a new password" }),
  is_admin: z.boolean().optional().meta({ description: "By admins only" }),
  email: email.nullable().optional(),
  first_name: shortText(150).optional(),
  last_name: shortText(150).optional(),
  status: status.optional(),
  status_message: shortText(255).nullable().optional(),
});
export type UpdateUser = z.output<typeof UpdateUserInput>;

export const ListUsersQuery = z.object({
  q: shortText(100).optional().meta({ description: "Part of a username or a name" }),
  username: storableText(150).optional().meta({ description: "Exactly this username, in whatever case" }),
  first_name: storableText(150).optional().meta({ description: "Exactly this first name" }),
  last_name: storableText(150).optional().meta({ description: "Exactly this last name" }),
  status: status.optional().meta({ description: "What they say of themselves" }),
  exclude: z
    .string()
    .regex(/^\d{1,16}(,\d{1,16}){0,499}$/, "must be ids with commas between, 500 at most")
    .transform((list) => list.split(",").map(Number))
    .optional()
    .meta({ description: "Ids to leave out, with commas between", type: "string" }),
  limit: limitParam(100),
  after: cursorOf(/^\d{1,16}$/),
});
export type ListUsers = z.output<typeof ListUsersQuery>;
