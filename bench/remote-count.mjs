/** What is in a copy, to tell whether it is complete: how fast an incomplete one was is worth nothing. */
import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/**
 * Messages below a directory: files in any `cur` or `new`, whatever the nesting.
 *
 * @param {string} dir
 * @returns {{ messages: number, bytes: number, flagged: number }}
 */
export const count = (dir) => {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && ["cur", "new"].includes(basename(entry.parentPath)),
  );
  return {
    messages: files.length,
    bytes: files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0),
    flagged: files.filter(({ name }) => /:2,[^:]*F[^:]*$/.test(name)).length,
  };
};
