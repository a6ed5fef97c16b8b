/** The documented password of every demo user; demo data never goes where NODE_ENV is production. */
export const password = "Passw0rd!";

/** In the order of their ids on a fresh database: user_1 has the id 1. */
export const users: readonly { username: string; first_name?: string; last_name?: string; is_admin?: true }[] = [
  ...Array.from({ length: 15 }, (_, i) => ({ username: `user_${i + 1}` })),
  { username: "IsaiahTobi", first_name: "Isaiah", last_name: "Tobi" },
  { username: "IsaiahAim", first_name: "Isaiah", last_name: "Aim" },
  // Whoever wants to see the desk at /admin.
  { username: "alice", first_name: "Alice", is_admin: true },
  { username: "bob", first_name: "Bob" },
  { username: "charlie", first_name: "Charlie" },
];

interface Said {
  readonly by: string;
  readonly text: string;
}

interface Group {
  readonly name: string;
  readonly is_public: boolean;
  readonly owner: string;
  readonly members: readonly string[];
  readonly said: readonly Said[];
  /** Who has seen how many of the messages; for the rest they are unseen. */
  readonly seen: Readonly<Record<string, number>>;
}

export const groups: readonly Group[] = [
  {
    name: "family",
    is_public: true,
    owner: "user_1",
    members: ["user_2", "user_3", "user_4"],
    said: [
      { by: "user_1", text: "hi fam" },
      { by: "user_3", text: "hello! dinner on Sunday?" },
      { by: "user_1", text: "yes, at seven" },
    ],
    seen: { user_1: 3, user_2: 1 },
  },
  {
    name: "project",
    is_public: false,
    owner: "alice",
    members: ["bob", "charlie"],
    said: [
      { by: "alice", text: "Hi guys!" },
      { by: "bob", text: "Hello, Alice!" },
      { by: "charlie", text: "Hello, are you there?" },
    ],
    seen: { alice: 2, bob: 3 },
  },
];

export const directMessages: readonly (Said & { readonly to: string })[] = [
  { by: "user_1", to: "user_2", text: "hey man" },
  { by: "user_2", to: "user_1", text: "hey, how are you?" },
  { by: "IsaiahAim", to: "IsaiahTobi", text: "Hello, Tobi!" },
  { by: "IsaiahTobi", to: "IsaiahAim", text: "Hi, Aim!" },
  { by: "alice", to: "bob", text: "Did you see the plan?" },
];
