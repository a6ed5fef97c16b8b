/** What moves the cursor, colours, clears or turns the direction of what stands behind it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const harmful = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** What somebody wrote, on one line, without anything that a terminal would obey. */
export const clean = (text: string): string =>
  text
    .replace(/\r\n|[\r\n\u2028\u2029]/g, " ⏎ ")
    .replaceAll("\t", " ")
    .replace(harmful, "\ufffd");

/** JSON of one line, in which what a terminal would obey stands as an escape. */
export const cleanJson = (value: unknown): string =>
  JSON.stringify(value).replace(harmful, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
