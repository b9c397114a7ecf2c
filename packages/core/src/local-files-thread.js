// The thread of file-thread.ts: does what it is asked for, and answers under the same number.
import { parentPort } from "node:worker_threads";
import { finishFiles, syncFiles, writeFiles } from "./local-files.js";

/** @typedef {import("./local-files.js").Part} Part */
/** @typedef {import("./local-files.js").PlacedFile} PlacedFile */

/**
 * @typedef {{ readonly write: readonly [Uint8Array, readonly Part[]] }
 *   | { readonly sync: readonly number[] }
 *   | { readonly finish: readonly PlacedFile[] }} Task
 */

parentPort?.on("message", (/** @type {{ readonly id: number, readonly task: Task }} */ { id, task }) => {
  carryOut(task).then(
    (result) => answer({ id, result }),
    (/** @type {NodeJS.ErrnoException} */ error) => {
      // What makes it an error of the system would not come through.
      const { message, code, syscall, path } = error;
      answer({ id, failure: { message, code, syscall, path } });
    },
  );
});

/** @param {Task} task */
async function carryOut(task) {
  if ("write" in task) return writeFiles(...task.write);
  if ("sync" in task) return await syncFiles(task.sync);
  return finishFiles(task.finish);
}

/** @param {object} message */
function answer(message) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is a browser's windows that have origins
  parentPort?.postMessage(message);
}
