import { constants } from "node:fs";
import { chmod, mkdir, open, readFile, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BackupError, type Path, syncDirectory, systemCode } from "@backup/core";

/** Undefined: there is none. @throws BackupError ITEM_UNREADABLE */
export async function readSystemFile(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw problem("ITEM_UNREADABLE", path, "read", error);
  }
}

/**
 * A path below a directory, wherever links in it lead.
 * @throws BackupError UNSAFE_PATH where one leads out of it
 */
export async function placeBelow(directory: string, path: Path): Promise<string> {
  const place = join(directory, path);
  const root = await realpathOfNearest(directory);
  const real = await realpathOfNearest(dirname(place));
  if (root === "/" || real === root || real.startsWith(`${root}/`)) return place;
  throw new BackupError(
    "UNSAFE_PATH",
    `${dirname(place)} leads out of ${directory}, to ${real}; name another directory, or remove the link`,
  );
}

/** Of what is not there, that of what is above it, and the rest. */
async function realpathOfNearest(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT" || path === "/") throw problem("ITEM_UNREADABLE", path, "read", error);
    return join(await realpathOfNearest(dirname(path)), basename(path));
  }
}

/**
 * Writes a file as a whole, or not at all, with its directories.
 * @throws BackupError DESTINATION_UNWRITABLE
 */
export async function writeSystemFile(
  path: string,
  bytes: Uint8Array,
  { mode, directoryMode }: { readonly mode: number; readonly directoryMode: number },
): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.restore-${process.pid}.tmp`);
  try {
    await makeDirectories(directory, directoryMode);
    try {
      const handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
      try {
        await handle.writeFile(bytes);
        await handle.chmod(mode);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    await syncDirectory(directory);
  } catch (error) {
    throw problem("DESTINATION_UNWRITABLE", path, "written", error);
  }
}

/** The last one gets the mode if it is made; those above it are for everybody, whatever the umask is. */
async function makeDirectories(directory: string, mode: number): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = dirname(made))
    await chmod(made, made === directory ? mode : 0o755);
}

function problem(
  code: "ITEM_UNREADABLE" | "DESTINATION_UNWRITABLE",
  path: string,
  verb: string,
  error: unknown,
): unknown {
  const reason = systemCode(error);
  if (reason === undefined) return error;
  const advice = ["EACCES", "EPERM"].includes(reason) ? "run as root" : "see there";
  return new BackupError(code, `${path} cannot be ${verb} (${reason}); ${advice}`, { cause: error });
}
