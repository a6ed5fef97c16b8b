import { AppError } from "./errors.ts";

/**
 * Batches that store hold it together, whoever cancels holds it alone. What a batch reads below it stays true until
 * its commit, so that a send is either stored or cancelled, whatever the queue does with its job.
 */
export const CANCEL_LOCK = 7_275_340;

export const sendCancelled = (): AppError =>
  new AppError("cancelled", "Its sender cancelled this message before it was stored");

export const keyMismatch = (): AppError =>
  new AppError("idempotency_mismatch", "This key was used for a message with another text or another room");
