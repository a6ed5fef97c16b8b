/** The life of a command: what is wrong is one line, and exit code 1. */
export async function runBeside(usage: string, work: () => Promise<"done" | "help" | "wrong">): Promise<never> {
  try {
    const outcome = await work();
    if (outcome === "help") console.log(usage);
    if (outcome === "wrong") throw new Error(usage);
    process.exit(0);
  } catch (error) {
    const isMisuse = error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
    process.stderr.write(
      `${error instanceof Error ? error.message : String(error)}\n${isMisuse ? `\n${usage}\n` : ""}`,
    );
    process.exit(1);
  }
}
