// npm test [-- vitest arguments]: from a fresh clone to the line that counts the tests.
import { build } from "./support/build.mjs";
import { localBin } from "./support/local-bin.mjs";
import { ensureNodeModules } from "./support/node-modules.mjs";
import { ensureSystemPackages } from "./support/system-packages.mjs";
import { ensureUnpackedServers } from "./support/unpacked-packages.mjs";

try {
  await ensureNodeModules();
  await ensureSystemPackages();
  await ensureUnpackedServers();
  await build();
} catch (error) {
  console.error(`npm test: ${error.message}`);
  process.exit(1);
}
// Its reporter prints the count as the last line.
process.exitCode = await localBin("vitest", ["run", ...process.argv.slice(2)]);
