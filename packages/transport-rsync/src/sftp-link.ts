import { type Move, parentOf } from "@backup/core";
import { STATUS, unlessRefused } from "./sftp-calls.js";
import type { SftpDestination } from "./sftp-destination.js";
import { directorySync } from "./sftp-directory.js";
import { MANY } from "./sftp-files.js";
import { inFlight } from "./sftp-in-flight.js";
import { missingDirectories } from "./sftp-make.js";
import { folderOf } from "./sftp-root.js";

const REFUSED = [STATUS.FAILURE, STATUS.NO_SUCH_FILE, STATUS.PERMISSION_DENIED, STATUS.UNSUPPORTED];

/**
 * Makes each `to` another name of the file `from`, replacing what is there. False: this one cannot be, since `from` is
 * gone, has too many names, or the server or its file system knows no hard links.
 */
export function linkFiles(
  destination: SftpDestination,
  links: readonly Move[],
  signal: AbortSignal,
): Promise<readonly boolean[]> {
  const { root } = destination;
  const pairs = links.map(({ from, to }) => ({ from: root.at(from), to: root.at(to) }));
  return destination.change(async (sftp) => {
    const made = new Set<Move>();
    if (!sftp.offers.hardlink || !sftp.offers.posixRename) return pairs.map(() => false);
    // A symbolic link in the place of a directory would lead them out of the destination.
    await missingDirectories(sftp, destination, new Set(links.map(({ to }) => parentOf(to))));
    const directories = directorySync(sftp, new Set(pairs.map(({ to }) => folderOf(to))));
    try {
      await inFlight(pairs, { limit: MANY, signal }, async (pair) => {
        const temporary = destination.temporaryName();
        // Sent together: where one is refused, those after it find nothing.
        const [, isRenamed] = await Promise.all([
          unlessRefused(REFUSED, sftp.hardlink(pair.from, temporary)),
          unlessRefused(REFUSED, sftp.posixRename(temporary, pair.to)),
          // rename(2) leaves both names where they are of one file already.
          unlessRefused(REFUSED, sftp.unlink(temporary)),
        ]);
        if (isRenamed) made.add(pair);
      });
    } catch (error) {
      await directories.drop();
      throw error;
    }
    await directories.finish();
    return pairs.map((pair) => made.has(pair));
  }, signal);
}
