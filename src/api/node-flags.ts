/**
 * How Node runs the API, wherever it is started. Thousands of parked reads live through every collection of young
 * objects; with half the room for those it is held up for half as long.
 */
export const nodeFlags: readonly string[] = ["--max-semi-space-size=8"];
