import fc from "fast-check";

export const modes = ["catch-up", "long-poll", "sse", "websocket"] as const;
export type Mode = (typeof modes)[number];
export type Which = 0 | 1;

/** How often each of them comes, of the sum of all. */
const weights = {
  send: 40,
  direct: 14,
  seen: 20,
  create: 9,
  join: 8,
  add: 8,
  remove: 6,
  leave: 4,
  race: 4,
  tug: 4,
  doom: 3,
  rename: 5,
  delete: 2,
  abort: 10,
  hop: 24,
  kill: 2,
} as const;
export type Kind = keyof typeof weights;

/** Numbers, not ids: whom and what they mean is found out when their turn comes, by what is there then. */
export interface Command {
  readonly kind: Kind;
  readonly api: Which;
  readonly room: number;
  readonly user: number;
  readonly other: number;
  readonly count: number;
  readonly mode: Mode;
  /** By anybody, whether they may or not. */
  readonly stray: boolean;
}

export interface Script {
  readonly commands: readonly Command[];
  /** Before which step each reader takes its first snapshot. */
  readonly starts: readonly number[];
}

/** So many commands are under way at the same time. */
export const STEP = 10;
/** Under way alone: what else went on then might wait for an API that can't move. */
export const isAlone = ({ kind }: Command): boolean => kind === "doom";
export const USERS = 6;
const COMMANDS = { minLength: 140, maxLength: 160 };

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.oneof(
    ...Object.entries(weights).map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind as Kind) })),
  ),
  api: fc.constantFrom<Which[]>(0, 1),
  room: fc.nat(59),
  user: fc.nat(59),
  other: fc.nat(59),
  count: fc.integer({ min: 1, max: 4 }),
  mode: fc.constantFrom(...modes),
  stray: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});

export const script: fc.Arbitrary<Script> = fc.record({
  commands: fc.array(command, { ...COMMANDS, size: "max" }),
  starts: fc.array(fc.nat(5), { minLength: USERS, maxLength: USERS }),
});
