import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
export const text = (path: string): string => readFileSync(new URL(path, root), "utf8");

/** What follows an instruction of the Dockerfile, wherever it stands; lines that go on are one. */
export const instructions = (name: string): string[] =>
  [
    ...text("Dockerfile")
      .replace(/\\\n */g, "")
      .matchAll(new RegExp(`^${name} +(.+)$`, "gm")),
  ].map((found) => found[1]!);

/** Whether Docker gets to see this file at all: the last pattern of .dockerignore that fits it or its folder decides. */
export function isSent(path: string): boolean {
  const patterns = text(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const parts = path.split("/");
  const self = parts.map((_, i) => parts.slice(0, i + 1).join("/"));
  const last = patterns.findLast((pattern) => self.some((one) => fits(pattern.replace(/^!/, ""), one)));
  return last === undefined || last.startsWith("!");
}

function fits(pattern: string, path: string): boolean {
  const regex = pattern
    .replace(/[.+^$()|[\]\\]/g, "\\$&")
    .replace(/\*\*\/|\*/g, (stars) => (stars === "*" ? "[^/]*" : "(?:.*/)?"));
  return new RegExp(`^${regex}$`).test(path);
}
