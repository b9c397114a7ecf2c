import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BackupError, type Reach, systemCode } from "@backup/core";
import { type Position, remotePosition } from "@backup/transport-rsync";

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
  if (from === to) throw isSame(from);
  if (`${to}/`.startsWith(withSlash(from))) throw isInside(["DEST", to], ["SOURCE", from]);
  if (`${from}/`.startsWith(withSlash(to))) throw isInside(["SOURCE", from], ["DEST", to]);
}

/**
 * The same of two directories at hosts, as far as the accounts may look: both hosts may be the same one.
 * @throws BackupError USAGE
 */
export async function checkApartThere(source: Reach, destination: Reach, signal: AbortSignal): Promise<void> {
  const [from, to] = await Promise.all([positionOf(source, signal), positionOf(destination, signal)]);
  const [first, second] = [from?.directories[0], to?.directories[0]];
  if (!from?.isThere || !to || !first || !second || from.machine !== to.machine) return;
  if (to.isThere && first.id === second.id) throw isSame(first.path);
  const isIn = ({ directories }: Position, { id }: typeof first): boolean => directories.some((each) => each.id === id);
  if (isIn(to, first)) throw isInside(["DEST", destination.directory], ["SOURCE", first.path]);
  if (to.isThere && isIn(from, second)) throw isInside(["SOURCE", first.path], ["DEST", second.path]);
}

async function positionOf({ shell, directory }: Reach, signal: AbortSignal): Promise<Position | undefined> {
  return shell && (await remotePosition({ shell, directory }, signal));
}

function isSame(path: string): BackupError {
  return new BackupError("USAGE", `SOURCE and DEST are the same directory, ${path}; name two`);
}

function isInside([inner, at]: readonly [string, string], [outer, around]: readonly [string, string]): BackupError {
  return new BackupError("USAGE", `${inner} (${at}) is inside of ${outer} (${around}); name a directory beside it`);
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
