/**
 * How Node runs the API, wherever it is started. Thousands of parked reads live through every collection of young
 * objects; with less room for those it is held up for less.
 */
export const nodeFlags: readonly string[] = ["--max-semi-space-size=12"];
