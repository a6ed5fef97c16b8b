import { errors, jwtVerify, SignJWT } from "jose";
import { AppError } from "../../shared/errors.ts";
import { isId } from "../../shared/ids.ts";
import type { SigningKey } from "./signing-keys.ts";

/** Short, because a token is believed without asking anybody but the list of ended sessions. */
export const ACCESS_TOKEN_S = 15 * 60;
const ISSUER = "parley";
const ALGORITHM = "HS256";

export interface AccessClaims {
  readonly userId: number;
  readonly sessionId: string;
}

export interface VerifiedClaims extends AccessClaims {
  /** In milliseconds: what goes on for longer, like a socket, ends here. */
  readonly expiresAt: number;
}

export class AccessTokens {
  readonly #keys: readonly SigningKey[];
  readonly #now: () => number;

  constructor(keys: readonly SigningKey[], now: () => number) {
    this.#keys = keys;
    this.#now = now;
  }

  sign({ userId, sessionId }: AccessClaims): Promise<string> {
    const [key] = this.#keys;
    const issuedAt = Math.floor(this.#now() / 1_000);
    return new SignJWT({ sid: sessionId })
      .setProtectedHeader({ alg: ALGORITHM, kid: key!.id, typ: "at+jwt" })
      .setIssuer(ISSUER)
      .setSubject(String(userId))
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + ACCESS_TOKEN_S)
      .sign(key!.secret);
  }

  async verify(token: string): Promise<VerifiedClaims> {
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.#secretOf(kid), {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        typ: "at+jwt",
        requiredClaims: ["sub", "sid", "exp", "nbf"],
        currentDate: new Date(this.#now()),
        clockTolerance: 2,
      });
      const claims = {
        userId: Number(payload.sub),
        sessionId: String(payload["sid"]),
        expiresAt: payload.exp! * 1_000,
      };
      if (!Number.isSafeInteger(claims.userId) || !isId(claims.sessionId)) throw new Error("claims of another shape");
      return claims;
    } catch (error) {
      // What is wrong with it is for our log; who made it up learns nothing.
      if (error instanceof errors.JWTExpired) throw new AppError("token_expired", "The access token has expired");
      throw new AppError("token_invalid", "The token is not one of ours", { cause: error });
    }
  }

  #secretOf(kid: string | undefined): Uint8Array {
    const key = this.#keys.find(({ id }) => id === kid);
    if (!key) throw new Error("signed by a key that is not ours");
    return key.secret;
  }
}
