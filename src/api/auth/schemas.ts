import { z } from "zod";
import { id, idParam, nameText, time, uuidParam } from "../http/schemas.ts";
import { OwnUserView } from "../users/schemas.ts";
import { scopes } from "./credentials.ts";

export const LoginInput = z
  .strictObject({
    username: nameText(254).optional(),
    email: nameText(254).optional(),
    password: z.string().min(1).max(128),
  })
  .refine(({ username, email }) => (username === undefined) !== (email === undefined), {
    path: ["username"],
    message: "is required (or email, not both)",
  });

export const SignedInView = z
  .object({
    access_token: z.string(),
    token_type: z.literal("Bearer"),
    expires_in: z.number().int().meta({ description: "Seconds" }),
    refresh_token: z.string().meta({ description: "For one use: each refresh gives the next" }),
    user: OwnUserView,
  })
  .meta({ id: "SignedIn" });

export const RefreshInput = z.strictObject({ refresh_token: z.string().min(1).max(200) });

export const SessionView = z
  .object({
    id: z.uuid(),
    user_agent: z.string(),
    created_at: time,
    last_used_at: time,
    expires_at: time,
    is_current: z.boolean(),
  })
  .meta({ id: "Session" });
export const SessionsView = z.object({ sessions: z.array(SessionView) }).meta({ id: "Sessions" });
export const sessionParams = z.object({ id: uuidParam });

export const CreateTokenInput = z.strictObject({
  name: nameText(100),
  expires_at: z.iso
    .datetime({ offset: true })
    .refine((at) => new Date(at).getUTCFullYear() <= 9_998, "must be before the year 9999")
    .nullable()
    .optional()
    .meta({ description: "Never, if not said" }),
});
export const ApiTokenView = z
  .object({
    id,
    name: z.string(),
    created_at: time,
    expires_at: time.nullable(),
    last_used_at: time.nullable(),
  })
  .meta({ id: "ApiToken" });
export const NewApiTokenView = ApiTokenView.extend({
  token: z.string().meta({ description: "Shown this once; only its hash is kept" }),
}).meta({ id: "NewApiToken" });
export const ApiTokensView = z.object({ tokens: z.array(ApiTokenView) }).meta({ id: "ApiTokens" });
export const tokenParams = z.object({ id: idParam });

export const scopeList = z.array(z.enum(scopes)).min(1).max(scopes.length);
