import { BackupError } from "./errors.js";
import type { Path } from "./model.js";

/** Where a destination keeps what is not the user's data; deleting it costs time only. */
export const PRIVATE = ".backup";

export function parentOf(path: Path): Path {
  const cut = path.lastIndexOf("/");
  return cut < 0 ? "" : path.slice(0, cut);
}

/** False for a path that could leave the root or that no file system holds. */
export function isSafe(path: Path): boolean {
  // A lone surrogate has no UTF-8: it would be written as another name than the one that was asked for.
  const holdable = !path.includes("\0") && !/\p{Surrogate}/u.test(path);
  return holdable && path.split("/").every((name) => name !== "" && name !== "." && name !== "..");
}

/** @throws BackupError UNSAFE_PATH; see isSafe */
export function checkPath(path: Path): void {
  if (!isSafe(path)) throw new BackupError("UNSAFE_PATH", `refused the unsafe path ${JSON.stringify(path)}`);
}
