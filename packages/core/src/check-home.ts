import { BackupError } from "./errors.js";

/**
 * Refuses a path that begins with `~`: only a shell makes a home directory of that, and not where it is quoted, follows
 * a `=` or is in a plan. Taken as it is, it would be a directory of this name.
 * @param paths by what messages call them
 * @throws BackupError USAGE
 */
export function checkHome(paths: Readonly<Record<string, string | undefined>>): void {
  const [what, path = ""] = Object.entries(paths).find(([, each]) => each?.startsWith("~")) ?? [];
  if (what === undefined) return;
  throw new BackupError(
    "USAGE",
    `${what} is '${path}', and only a shell replaces a ~, where it is not quoted and begins a word; ` +
      `write the whole path, or "$HOME${path.replace(/^~[^/]*/, "")}" in a shell`,
  );
}
