// npm run quickstart [-- DIRECTORY]: from a fresh clone to three backups of a throwaway IMAP server on this machine.
import { resolve } from "node:path";
import { build } from "./support/build.mjs";
import { ensureNodeModules } from "./support/node-modules.mjs";

try {
  console.log("== Build");
  await ensureNodeModules();
  // What is run, and nothing of the tests.
  await build(["packages/cli"]);
  console.log("the command line is built: npx backup --help");
  // Only now are the packages there that it imports.
  const { tour } = await import("./quickstart/tour.mjs");
  const [, , directory] = process.argv;
  await tour(directory === undefined ? "./quickstart-backup" : resolve(directory));
} catch (error) {
  console.error(`npm run quickstart: ${error.message}`);
  process.exitCode = 1;
}
