import { AppError } from "../../shared/errors.ts";

/** The reason is for whoever has shown that the account is theirs. */
export const accountBanned = (reason?: string | null): AppError =>
  new AppError("account_banned", reason ? `This account is banned: ${reason}` : "This account is banned");
