import { randomUUID } from "node:crypto";

const ACCEPTABLE = /^[\w.:-]{1,100}$/;

/** Of a request as its client, or the proxy before us, calls it; else one of our own. */
export const requestIdOf = (given: string | string[] | undefined): string =>
  typeof given === "string" && ACCEPTABLE.test(given) ? given : randomUUID();
