// npm run manual: writes the manual page from the descriptions that the command line is made of.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { localBin } from "./support/local-bin.mjs";
import { ROOT } from "./support/run.mjs";

const CLI = join(ROOT, "packages/cli");

if ((await localBin("tsc", ["-b"])) !== 0) {
  console.error("npm run manual: the build failed");
  process.exit(1);
}
const { manualPage } = await import(join(CLI, "dist/manual.js"));
const { version } = JSON.parse(await readFile(join(CLI, "package.json"), "utf8"));
await writeFile(join(CLI, "man/backup.1"), manualPage(version));
