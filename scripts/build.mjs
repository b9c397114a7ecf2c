// npm run build
import { build } from "./support/build.mjs";
import { ensureNodeModules } from "./support/node-modules.mjs";

try {
  await ensureNodeModules();
  await build();
} catch (error) {
  console.error(`npm run build: ${error.message}`);
  process.exitCode = 1;
}
