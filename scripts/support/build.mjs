import { localBin } from "./local-bin.mjs";
import { ROOT, run } from "./run.mjs";

/**
 * Makes what runs: the packages, then the command.
 * @param {readonly string[]} [projects] directories with a tsconfig.json; default: all
 * @throws Error when one of them fails
 */
export async function build(projects = []) {
  if ((await localBin("tsc", ["-b", ...projects])) !== 0) throw new Error("the build failed");
  // A process of its own: what it imports was perhaps installed just now.
  if ((await run(process.execPath, [`${ROOT}/scripts/bundle.mjs`])) !== 0) throw new Error("the build failed");
}
