import type { FileEntryWithStats } from "ssh2";
import { OPEN, STATUS, type SftpCalls, unless } from "./sftp-calls.js";
import { inFlight, settleAll } from "./sftp-in-flight.js";

/** READDIR requests of one directory in flight at most; each brings up to 100 names. */
const MAX_AHEAD = 64;

/**
 * All entries of a directory but `.` and `..`, with attributes that describe a symbolic link itself; undefined: there is
 * no such directory. Two round trips where `ahead` requests bring all of it: what else they cost is an answer "end".
 */
export async function readDirectory(
  sftp: SftpCalls,
  path: string,
  ahead: number,
): Promise<readonly FileEntryWithStats[] | undefined> {
  const handle = await unless([STATUS.NO_SUCH_FILE], sftp.opendir(path));
  if (!handle) return undefined;
  const entries: FileEntryWithStats[] = [];
  const asked: Promise<readonly FileEntryWithStats[] | undefined>[] = [];
  try {
    for (let next = 0, limit = ahead; ; next++, limit = Math.min(2 * limit, MAX_AHEAD)) {
      while (asked.length < next + limit) {
        const more = unless([STATUS.EOF], sftp.readdir(handle));
        // Awaited later, or not at all once the end is known.
        more.catch(() => {});
        asked.push(more);
      }
      const more = await asked[next];
      if (!more) return entries;
      // A server could name anything: a name with a slash would lead elsewhere.
      for (const entry of more) if (isName(entry.filename)) entries.push(entry);
    }
  } finally {
    // Nothing depends on the answer.
    sftp.close(handle).catch(() => {});
  }
}

function isName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
}

/**
 * Makes what was changed in these directories durable: fsync(2) of a directory that is open for reading, which OpenSSH
 * allows. A server that cannot is left to its file system. Two round trips; the first may go with what comes before.
 */
export function directorySync(
  sftp: SftpCalls,
  paths: ReadonlySet<string>,
): { readonly finish: () => Promise<void>; readonly drop: () => Promise<void> } {
  const none = async (): Promise<void> => {};
  if (!sftp.offers.fsync) return { finish: none, drop: none };
  // As many as may be open beside the files of a batch are opened ahead.
  const [first, rest] = [[...paths].slice(0, 64), [...paths].slice(64)];
  const skipped = [STATUS.NO_SUCH_FILE, STATUS.FAILURE, STATUS.PERMISSION_DENIED, STATUS.UNSUPPORTED];
  const opened = first.map((path) => unless(skipped, sftp.open(path, OPEN.READ)));
  const sync = async (opening: (typeof opened)[number], wanted: boolean): Promise<void> => {
    const handle = await opening;
    if (!handle) return;
    await settleAll([wanted ? unless(skipped, sftp.fsync(handle)) : none(), sftp.close(handle)]);
  };
  for (const opening of opened) opening.catch(() => {});
  return {
    async finish() {
      await settleAll(opened.map((opening) => sync(opening, true)));
      await inFlight(rest, { limit: 64 }, (path) => sync(unless(skipped, sftp.open(path, OPEN.READ)), true));
    },
    drop: () => settleAll(opened.map((opening) => sync(opening, false))),
  };
}
