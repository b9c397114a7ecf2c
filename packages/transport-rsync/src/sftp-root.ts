import { checkPath } from "@backup/core";
import type { Path } from "@backup/core";

/** Paths of a destination as the server knows them. */
export interface Root {
  /** The destination itself. */
  readonly path: string;
  /** @throws BackupError UNSAFE_PATH */
  at(path: Path): string;
}

/** @param directory as a person writes it: absolute, or relative to home, which is where a session begins */
export function rootOf(directory: string): Root {
  const trimmed = directory.replace(/^~(?:\/+|$)/, "").replace(/(?<=[^/])\/+$/, "");
  const path = trimmed === "" ? "." : trimmed;
  const prefix = path === "." ? "" : path.endsWith("/") ? path : `${path}/`;
  return {
    path,
    at(inside) {
      checkPath(inside);
      return `${prefix}${inside}`;
    },
  };
}

/** The directory that a path of the server is in. */
export function folderOf(path: string): string {
  const cut = path.lastIndexOf("/");
  if (cut < 0) return ".";
  return cut === 0 ? "/" : path.slice(0, cut);
}
