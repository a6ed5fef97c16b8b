import { AppError } from "../../shared/errors.ts";
import { invalid } from "../http/validation.ts";

const OFFSET = /^([0-9a-z]{1,32})_(\d{16})$/;

/** The position from which the event feed goes on: `<epoch>_<16 digits>`, so that texts sort as positions do. */
export const offsetOf = (epoch: string, pos: number): string => `${epoch}_${String(pos).padStart(16, "0")}`;

/** A position, or `now`: from wherever the log ends. */
export type From = number | "now";

/** `-1` is the beginning; a position of another log is gone. */
export function parseOffset(offset: string, epoch: string): From {
  if (offset === "now") return "now";
  if (offset === "-1") return -1;
  const [, ofEpoch, digits] = OFFSET.exec(offset) ?? [];
  if (ofEpoch === undefined) throw invalid([{ path: "offset", message: "is not an offset that an answer gave" }]);
  if (ofEpoch !== epoch) throw offsetGone("This offset is of another log");
  return Number(digits);
}

export const offsetGone = (why: string): AppError =>
  new AppError(
    "offset_gone",
    `${why}: take a snapshot (GET /v1/rooms) and go on from the Stream-Next-Offset of its answer`,
  );
