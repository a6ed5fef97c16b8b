/** `FOO=` in a compose file means "unset" and not "empty string"; blanks alone mean the same. */
export const givenIn = (source: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(source).filter(([, value]) => value?.trim()));
