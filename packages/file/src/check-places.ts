import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BackupError, systemCode } from "@backup/core";

/** @throws BackupError NOT_FOUND where a source of this machine is no directory */
export async function checkDirectory(directory: string, name: string): Promise<void> {
  try {
    if ((await stat(directory)).isDirectory()) return;
  } catch (error) {
    const code = systemCode(error);
    const reason = code === "ENOENT" ? "does not exist" : `cannot be read (${code ?? "unknown error"})`;
    throw new BackupError("NOT_FOUND", `${name} ${reason}; check the path, and whether it is mounted`, {
      cause: error,
    });
  }
  throw new BackupError("NOT_FOUND", `${name} is no directory; name the one that it is in`);
}

/**
 * A tree that is copied into itself never ends, and one that is copied over what holds it ends the original.
 * @throws BackupError USAGE
 */
export async function checkApart(source: string, destination: string): Promise<void> {
  const [from, to] = [await real(source), await real(destination)];
  if (from === to) throw new BackupError("USAGE", `SOURCE and DEST are the same directory, ${from}; name two`);
  if (`${to}/`.startsWith(withSlash(from)))
    throw new BackupError("USAGE", `DEST (${to}) is inside of SOURCE (${from}); name a directory beside it`);
  if (`${from}/`.startsWith(withSlash(to)))
    throw new BackupError("USAGE", `SOURCE (${from}) is inside of DEST (${to}); name a directory beside it`);
}

/** Without symbolic links, as far as it is there. */
async function real(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    return join(await real(dirname(path)), basename(path));
  }
}

function withSlash(path: string): string {
  return path.endsWith("/") ? path : `${path}/`;
}
