import { createHash } from "node:crypto";
import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isDeadHere, processMark } from "./process-mark.js";

export interface OwnedDirectoryOptions {
  /** Where it is made. */
  readonly parent: string;
  /** What its name begins with; the same for all of its kind. */
  readonly prefix: string;
  /** Called for a directory that was left behind, before it is removed. */
  readonly onLeftBehind?: (directory: string) => Promise<void>;
}

/**
 * Makes a private directory, 0700, whose name says which process it belongs to: a file in it could be missing while it
 * is made or removed. Those of the same kind whose processes were killed are removed first. What it holds is worth
 * nothing without its process.
 */
export async function makeOwnedDirectory(options: OwnedDirectoryOptions): Promise<string> {
  const { parent, prefix, onLeftBehind = async () => {} } = options;
  for (const name of await readdir(parent)) {
    const directory = join(parent, name);
    if (!name.startsWith(prefix) || !isLeftBehind(name.slice(prefix.length)) || !(await isMine(directory))) continue;
    await onLeftBehind(directory);
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
  const { place, start } = whereAndWhen();
  return await mkdtemp(join(parent, `${prefix}${place}.${process.pid}.${start}.`));
}

/** About how many bytes are added to the prefix: a socket's path may not be long. */
export const OWNED_NAME_BYTES = 34;

/** Anybody may make a directory of that name in one that all share. */
async function isMine(directory: string): Promise<boolean> {
  const stats = await lstat(directory).catch(() => undefined);
  return stats?.isDirectory() === true && stats.uid === process.getuid?.();
}

/** @param owner what follows the prefix: the place, the process's number and its start */
function isLeftBehind(owner: string): boolean {
  const [, place, pid, start] = /^([\w-]+)\.(\d+)\.(\d*)\.[A-Za-z0-9]{6}$/.exec(owner) ?? [];
  const here = whereAndWhen();
  return (
    place === here.place && isDeadHere({ host: hostname(), pid: Number(pid), process: `${here.scope} ${start ?? ""}` })
  );
}

/** The machine, its boot and its namespace of process numbers, also as eight characters; and the start of this process. */
function whereAndWhen(): { readonly scope: string; readonly place: string; readonly start: string } {
  const [, scope = "", start = ""] = /^(.*) (\d+)$/.exec(processMark()) ?? [];
  const place = createHash("sha256").update(`${hostname()}\n${scope}`).digest("base64url").slice(0, 8);
  return { scope, place, start };
}
