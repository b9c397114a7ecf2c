import { lstat, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isDeadHere, processMark, systemCode } from "@backup/core";

export interface OwnedDirectoryOptions {
  /** Where it is made. */
  readonly parent: string;
  /** What its name begins with; the same for all of its kind. */
  readonly prefix: string;
  /** Called for a directory that was left behind, before it is removed. */
  readonly onLeftBehind?: (directory: string) => Promise<void>;
}

const OWNER = "owner.json";

/**
 * Makes a private directory, 0700, that says which process it belongs to. Those of the same kind whose processes were
 * killed are removed first. What it holds is worth nothing without its process.
 */
export async function makeOwnedDirectory(options: OwnedDirectoryOptions): Promise<string> {
  const { parent, prefix, onLeftBehind = async () => {} } = options;
  for (const name of await readdir(parent)) {
    const directory = join(parent, name);
    if (!name.startsWith(prefix) || !(await isMine(directory)) || !(await isLeftBehind(join(directory, OWNER))))
      continue;
    await onLeftBehind(directory);
    await rm(directory, { recursive: true, force: true });
  }
  const directory = await mkdtemp(join(parent, prefix));
  const owner = { host: hostname(), pid: process.pid, process: processMark() };
  await writeFile(join(directory, OWNER), JSON.stringify(owner), { mode: 0o600 });
  return directory;
}

/** Anybody may make a directory of that name in one that all share. */
async function isMine(directory: string): Promise<boolean> {
  const stats = await lstat(directory).catch(() => undefined);
  return stats?.isDirectory() === true && stats.uid === process.getuid?.();
}

async function isLeftBehind(file: string): Promise<boolean> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    // Just being made or removed, or another user's.
    if (error instanceof SyntaxError || ["ENOENT", "EACCES", "ENOTDIR", "EPERM"].includes(systemCode(error) ?? ""))
      return false;
    throw error;
  }
  if (typeof value !== "object" || value === null) return false;
  const { host, pid, process: mark } = value as Partial<Record<string, unknown>>;
  if (typeof host !== "string" || typeof pid !== "number" || typeof mark !== "string") return false;
  return isDeadHere({ host, pid, process: mark });
}
