// npm run check: everything about the code that needs no server. Runs all, then says what failed.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { localBin } from "./support/local-bin.mjs";
import { ensureNodeModules } from "./support/node-modules.mjs";
import { ROOT } from "./support/run.mjs";

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
for (const { name, bin, args } of checks) {
  console.log(`== ${name}`);
  if ((await localBin(bin, args)) !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`check: failed: ${failed.join(", ")}`);
  process.exitCode = 1;
} else console.log(`check: all ${checks.length} passed`);
