export const commands = [
  ["/rooms", "your rooms"],
  ["/room <name>", "go into a room (a name or an id)"],
  ["/to <user>", "talk to somebody (a username or an id)"],
  ["/history [n]", "what was said: the last 20, or n"],
  ["/who", "who is in this room, and who is online"],
  ["/quit", "leave; Ctrl-D does it too"],
  ["//text", "a message that begins with /"],
] as const;

export interface Command {
  readonly name: string;
  readonly rest: string;
}

/** A command, or something to say. */
export function readLine(line: string): Command | { readonly text: string } {
  const [, name, rest] = /^\/(?!\/)(\S*)\s*(.*)$/s.exec(line) ?? [];
  if (name === undefined) return { text: line.replace(/^\/\//, "/").trim() };
  return { name: name.toLowerCase(), rest: rest!.trim() };
}
