import { writeFileSync } from "node:fs";
import { licencesPage, shipped } from "./licences.ts";

/** `npm run licences`: writes docs/licences.md anew. */
writeFileSync(new URL("../../docs/licences.md", import.meta.url), licencesPage());
const counts = Object.entries(shipped()).map(([where, packages]) => `${packages.length} ${where}`);
console.log(`docs/licences.md is up to date: ${counts.join(", ")}`);
