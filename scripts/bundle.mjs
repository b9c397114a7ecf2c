// What the command runs: packages/cli and what it imports as a few files, because Node takes longer to find and read some
// hundred of them than a run without changes takes for the rest.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../packages/cli/", import.meta.url));

await rm(`${CLI}bundle`, { recursive: true, force: true });
// Waits for its program to have ended; otherwise that one outlives us for a moment.
process.env.ESBUILD_WORKER_THREADS = "0";
const { buildSync } = await import("esbuild");
buildSync({
  entryPoints: [`${CLI}dist/main.js`],
  outdir: `${CLI}bundle`,
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  // What is imported when it is used stays apart.
  splitting: true,
  // One for the command and its plugins; the other has programs of its own beside it.
  external: ["@backup/core", "@backup/transport-rsync"],
  // What CommonJS modules call, and modules do not have.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
  legalComments: "linked",
  logLevel: "warning",
});
