// A thread of local-clone.ts. Not TypeScript: a thread begins with a file that Node can run, also where the sources do.
import { linkSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";

/** @typedef {{ readonly from: string, readonly to: string, readonly names: readonly string[] }} Links */

/** @type {readonly Links[]} */
const shares = workerData;
const left = shares.map(({ from, to, names }) => ({
  from,
  to,
  names: names.filter((name) => {
    try {
      linkSync(join(from, name), join(to, name));
      return false;
    } catch {
      // The caller tries it again, and says what is wrong with it.
      return true;
    }
  }),
}));
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is a browser's windows that have origins
parentPort?.postMessage(left);
