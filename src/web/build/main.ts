import { parseArgs } from "node:util";
import { isBuilt } from "./sources.ts";

/** `npm run build:web`: makes the page in dist/web, if it is not there already as the sources want it. */
const { values } = parseArgs({ options: { tell: { type: "boolean", default: false } } });
const tell = (text: string): void => void (values.tell && process.stdout.write(`${text}\n`));

if (await isBuilt()) tell("dist/web is up to date");
else await build();

async function build(): Promise<void> {
  try {
    // Asked for only here: where the page is there, Vite need not be.
    const { buildPage } = await import("./build.ts");
    await buildPage();
    tell("dist/web is built");
  } catch (error) {
    if (!isViteMissing(error)) throw error;
    process.stderr.write("The chat page is not built: Vite is not installed (npm ci brings it)\n");
  }
}

function isViteMissing(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND" && /'vite'/.test(error.message)
  );
}
