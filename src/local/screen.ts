import { styleText } from "node:util";
import { StartError } from "./until-ready.ts";

/** What `npm start` shows. Colours only where they are seen: `styleText` asks stdout, NO_COLOR and FORCE_COLOR. */
export const screen = {
  line: (text = ""): void => console.log(text),
  done: (text: string, ms: number): void => {
    console.log(`${styleText("green", "✓")} ${text.padEnd(76)} ${styleText("dim", `${(ms / 1000).toFixed(1)} s`)}`);
  },
  note: (text: string): void => console.log(`${styleText("dim", "·")} ${text}`),
  warn: (text: string): void => console.log(`${styleText("yellow", "!")} ${text}`),
  loud: (text: string): void => console.log(styleText(["bold", "yellow"], text)),
  failed: (text: string): void => console.error(`${styleText("red", "✗", { stream: process.stderr })} ${text}`),
};

export type Screen = typeof screen;

/** For what the user can mend, the message says all; for a fault of ours the stack is what helps. */
export function tellError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isSystemError = "syscall" in error;
  return error instanceof StartError || isSystemError ? error.message : (error.stack ?? error.message);
}
