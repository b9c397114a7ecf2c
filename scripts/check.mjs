// npm run check: everything about the code that needs no server. Runs all, then says what failed.
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ensureNodeModules } from "./support/node-modules.mjs";
import { ROOT, runAside } from "./support/run.mjs";

await ensureNodeModules();
const packages = readdirSync(join(ROOT, "packages")).filter((name) =>
  existsSync(join(ROOT, "packages", name, "package.json")),
);

const checks = [
  { name: "build", bin: "tsc", args: ["-b"] },
  { name: "format", bin: "biome", args: ["format"] },
  { name: "lint", bin: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  { name: "unused code", bin: "knip", args: [] },
  ...packages.map((name) => ({ name: `publint ${name}`, bin: "publint", args: ["--strict", `packages/${name}`] })),
  ...packages.map((name) => ({
    name: `types of ${name}`,
    bin: "attw",
    args: ["--pack", `packages/${name}`, "--profile", "esm-only", "--no-color"],
  })),
];

const failed = [];
async function run({ name, bin, args }) {
  const { code, text } = await runAside(join(ROOT, "node_modules/.bin", bin), args);
  console.log(`== ${name}\n${text.trimEnd()}`);
  if (code !== 0) failed.push(name);
}
// What it builds the others look at, as many at a time as there are processors.
const [build, ...others] = checks;
await run(build);
const left = others.values();
const lane = async () => {
  for (const check of left) await run(check);
};
await Promise.all(Array.from({ length: availableParallelism() }, lane));
if (failed.length > 0) {
  console.error(`check: failed: ${failed.join(", ")}`);
  process.exitCode = 1;
} else console.log(`check: all ${checks.length} passed`);
