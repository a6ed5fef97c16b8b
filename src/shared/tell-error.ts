/** What a log line tells of an error. */
interface Told {
  readonly type: string;
  readonly message: string;
  readonly stack: string;
  readonly code?: string;
  readonly constraint?: string;
  readonly cause?: Told | string;
}

/** A cause of a cause of a cause tells nothing that the first did not. */
const DEEPEST = 4;

/**
 * These fields and no others: libraries hang whole commands, rows and addresses on their errors, with what people wrote
 * and the passwords of the servers.
 */
export function tellError(error: unknown, depth = 0): Told | string {
  if (!(error instanceof Error)) return withoutSecrets(String(error));
  const { code, constraint, cause } = error as Error & { code?: unknown; constraint?: unknown };
  return {
    type: error.constructor.name,
    message: withoutSecrets(error.message),
    stack: placesOf(error),
    ...(typeof code === "string" && { code }),
    ...(typeof constraint === "string" && { constraint }),
    ...(cause !== undefined && depth < DEEPEST && { cause: tellError(cause, depth + 1) }),
  };
}

/** Without the message, which the stack begins with as it is. */
const placesOf = ({ stack = "" }: Error): string =>
  stack
    .split("\n")
    .filter((line) => /^ +at /.test(line))
    .join("\n");

/** An address without its user and password; what a database refused without the row that it shows. */
export const withoutSecrets = (text: string): string =>
  text.replace(/:\/\/[^\s/]{1,500}@/g, "://***@").replace(/\n - detail: .*$/s, "");
