import { join } from "node:path";
import { ROOT, run } from "./run.mjs";

/**
 * Runs a program of an installed npm package.
 * @param {string} name
 * @param {readonly string[]} [args]
 * @returns {Promise<number>} exit code
 */
export function localBin(name, args = []) {
  return run(join(ROOT, "node_modules/.bin", name), args);
}
