// What the command runs: packages/cli and what it imports as a few files, because Node takes longer to find and read some
// hundred of them than a run without changes takes for the rest.
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../packages/cli/", import.meta.url));
const BUNDLE = join(CLI, "bundle");

// Waits for its program to have ended; otherwise that one outlives us for a moment.
process.env.ESBUILD_WORKER_THREADS = "0";
const { buildSync } = await import("esbuild");
const { outputFiles } = buildSync({
  entryPoints: [join(CLI, "dist/main.js")],
  outdir: BUNDLE,
  write: false,
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  // What is imported when it is used stays apart.
  splitting: true,
  // One for the command and its plugins; one that is optional; the other has programs of its own beside it.
  external: ["@backup/core", "@backup/fleet", "@backup/transport-rsync"],
  // What CommonJS modules call, and modules do not have.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
  legalComments: "linked",
  logLevel: "warning",
});

// A command that is started meanwhile finds all of the bundle, old or new: what is the same stays, and main.js, which
// names the others, comes last.
const work = `${BUNDLE}.${process.pid}`;
await mkdir(work, { recursive: true });
await mkdir(BUNDLE, { recursive: true });
const isMain = (/** @type {{ path: string }} */ { path }) => Number(basename(path) === "main.js");
for (const { path, contents } of outputFiles.toSorted((a, b) => isMain(a) - isMain(b))) {
  const there = await readFile(path).catch(() => undefined);
  if (there?.equals(contents)) continue;
  const temporary = join(work, basename(path));
  await writeFile(temporary, contents);
  await rename(temporary, path);
}
await rm(work, { recursive: true });
const made = new Set(outputFiles.map(({ path }) => basename(path)));
for (const name of await readdir(BUNDLE)) if (!made.has(name)) await rm(join(BUNDLE, name), { recursive: true });
