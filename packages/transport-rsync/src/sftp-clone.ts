import { BackupError, type Cloned } from "@backup/core";
import type { FileEntryWithStats } from "ssh2";
import { STATUS, type SftpCalls, unless, unlessRefused } from "./sftp-calls.js";
import { removeTree } from "./sftp-clear.js";
import type { SftpDestination } from "./sftp-destination.js";
import { directorySync, readDirectory } from "./sftp-directory.js";
import { MANY, writeFiles } from "./sftp-files.js";
import { inFlight } from "./sftp-in-flight.js";
import { readWhole } from "./sftp-read.js";
import { folderOf } from "./sftp-root.js";

/** What a server says where a file cannot have another name; version 3 has one status for most of it. */
const NO_LINK = [STATUS.FAILURE, STATUS.UNSUPPORTED, STATUS.PERMISSION_DENIED];

/** Directories that are worked on at a time. */
const DIRECTORIES = 8;

/** READDIR requests that are sent at once. */
const AHEAD = 16;

interface Clone {
  readonly destination: SftpDestination;
  readonly from: string;
  readonly to: string;
  readonly signal: AbortSignal;
}

/** See Store.clone; the paths are the server's. Two round trips for each level, and one for every so many files. */
export async function cloneTree(sftp: SftpCalls, { destination, from, to, signal }: Clone): Promise<Cloned> {
  if (!(await unless([STATUS.NO_SUCH_FILE], sftp.lstat(from)))) throw missing(destination, from);
  await removeTree(sftp, to);
  const made = [to];
  let copied = 0;
  let level = [{ from, to }];
  while (level.length > 0) {
    const next: typeof level = [];
    await inFlight(level, { limit: DIRECTORIES, signal }, async (pair) => {
      const entries = await readDirectory(sftp, pair.from, AHEAD);
      if (!entries) throw missing(destination, pair.from);
      await sftp.mkdir(pair.to);
      const inside = ({ filename }: FileEntryWithStats) => ({
        from: `${pair.from}/${filename}`,
        to: `${pair.to}/${filename}`,
      });
      next.push(...entries.filter(({ attrs }) => attrs.isDirectory()).map(inside));
      const files = entries.filter(({ attrs }) => attrs.isFile());
      const refused = await linkAll(sftp, files.map(inside), signal);
      for (const at of refused) await copy(sftp, { destination, ...at, signal });
      copied += refused.length;
    });
    made.push(...next.map((pair) => pair.to));
    level = next;
  }
  await directorySync(sftp, new Set([folderOf(to), ...made])).finish();
  return { copied };
}

function missing({ where }: SftpDestination, path: string): BackupError {
  return new BackupError("NOT_FOUND", `${where} has no directory ${path}`);
}

type Pair = Pick<Clone, "from" | "to">;

/** @returns those that cannot be */
async function linkAll(sftp: SftpCalls, pairs: readonly Pair[], signal: AbortSignal): Promise<readonly Pair[]> {
  if (!sftp.offers.hardlink) return pairs;
  const refused: Pair[] = [];
  await inFlight(pairs, { limit: MANY, signal }, async (pair) => {
    if (!(await unlessRefused(NO_LINK, sftp.hardlink(pair.from, pair.to)))) refused.push(pair);
  });
  return refused;
}

/** By way of this machine: version 3 of the protocol copies nothing by itself. */
async function copy(sftp: SftpCalls, { destination, from, to, signal }: Clone): Promise<void> {
  const content = await readWhole(sftp, from);
  const mtime = (await unless([STATUS.NO_SUCH_FILE], sftp.lstat(from)))?.mtime;
  // Its writer removed it just now.
  if (!content || mtime === undefined) return;
  const file = { path: to, content, mtime: mtime * 1000 };
  const attempt = { where: destination.where, root: destination.root.path, bytes: content.byteLength };
  await writeFiles(sftp, [file], { temporaryName: () => destination.temporaryName(), attempt, signal });
}
