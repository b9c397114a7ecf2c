import { type Directory, PRIVATE, type Path, type Stored } from "@backup/core";
import type { SftpCalls } from "./sftp-calls.js";
import { readDirectory } from "./sftp-directory.js";
import { inFlight } from "./sftp-in-flight.js";
import type { Root } from "./sftp-root.js";

/** READDIR requests that are sent at once: most directories of mail hold few directories, and many files. */
const AHEAD = { tree: 2, files: 16 };

/** See Store.directories. Breadth first: two round trips for each level, however many directories it has. */
export async function directoriesOf(
  sftp: SftpCalls,
  root: Root,
  { leaves, at: top, signal }: { readonly leaves: readonly string[]; readonly at: Path; readonly signal: AbortSignal },
): Promise<readonly Directory[]> {
  const skip = new Set(leaves);
  const found: Directory[] = [];
  let level: readonly Directory[] = [{ path: top, stamp: "" }];
  while (level.length > 0) {
    const next: Directory[] = [];
    await inFlight(level, { limit: sftp.handles, signal }, async (directory) => {
      const entries = await readDirectory(sftp, placeOf(root, directory.path), AHEAD.tree);
      if (!entries) return;
      if (directory.path !== top) {
        // Another backup's destination, made in this one: none of our business.
        if (entries.some(({ filename }) => filename === PRIVATE)) return;
        found.push(directory);
      }
      for (const { filename, attrs } of entries) {
        if (filename.startsWith(".") || !attrs.isDirectory()) continue;
        const path = inside(directory.path, filename);
        (skip.has(filename) ? found : next).push({ path, stamp: String(attrs.mtime) });
      }
    });
    level = next;
  }
  return found;
}

/** See Store.subdirectories. */
export async function directoriesIn(
  sftp: SftpCalls,
  root: Root,
  { directories, signal }: { readonly directories: readonly Path[]; readonly signal: AbortSignal },
): Promise<readonly Path[]> {
  const found: Path[] = [];
  await inFlight(directories, { limit: Math.min(32, sftp.handles), signal }, async (directory) => {
    const entries = await readDirectory(sftp, placeOf(root, directory), AHEAD.tree);
    for (const { filename, attrs } of entries ?? [])
      if (attrs.isDirectory() && !filename.startsWith(".")) found.push(inside(directory, filename));
  });
  return found;
}

/** See Store.list. */
export async function filesIn(
  sftp: SftpCalls,
  root: Root,
  { directories, signal }: { readonly directories: readonly Path[]; readonly signal: AbortSignal },
): Promise<readonly Stored[]> {
  const files: Stored[] = [];
  await inFlight(directories, { limit: Math.min(32, sftp.handles), signal }, async (directory) => {
    const entries = await readDirectory(sftp, root.at(directory), AHEAD.files);
    for (const { filename, attrs } of entries ?? [])
      if (attrs.isFile()) files.push({ path: `${directory}/${filename}`, size: attrs.size, mtime: attrs.mtime * 1000 });
  });
  return files;
}

/** Where a directory is that may be the root. */
function placeOf(root: Root, path: Path): string {
  return path === "" ? root.path : root.at(path);
}

function inside(directory: Path, name: string): Path {
  return directory === "" ? name : `${directory}/${name}`;
}
