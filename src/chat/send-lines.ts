import { createInterface } from "node:readline";
import type { ParleyClient, SendHandle } from "../client/index.ts";
import type { Place } from "./places.ts";
import { reasonOf } from "./reason.ts";

/** So many are on their way at once; who writes faster waits. */
const MOST_UNDER_WAY = 100;

/** Each line of the standard input is a message. @returns whether all of them are stored. */
export async function sendLines(client: ParleyClient, place: Place | undefined): Promise<boolean> {
  if (!place) throw new Error("To whom? --room or --to says where the lines go");
  const underWay: Promise<boolean>[] = [];
  let number = 0;
  let allStored = true;
  for await (const line of createInterface({ input: process.stdin })) {
    number++;
    if (line.trim() === "") continue;
    underWay.push(isStored(client.send(place.target, line), number));
    if (underWay.length >= MOST_UNDER_WAY) allStored = (await underWay.shift()!) && allStored;
  }
  const rest = await Promise.all(underWay);
  return allStored && rest.every((stored) => stored);
}

async function isStored(handle: SendHandle, number: number): Promise<boolean> {
  try {
    await handle.stored;
    return true;
  } catch (error) {
    process.stderr.write(`Line ${number} was not sent: ${reasonOf(error)}\n`);
    return false;
  }
}
