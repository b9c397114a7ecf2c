import { randomUUID } from "node:crypto";
import { STATUS, type SftpCalls, SftpStatus, unless } from "./sftp-calls.js";

/**
 * Makes symbolic links. The protocol sends the link's path first, OpenSSH and most others expect its target there: which it
 * is is found out with two names that do no harm, once for a session.
 */
export class SftpLinks {
  readonly #isTargetFirst = new WeakMap<SftpCalls, Promise<boolean>>();

  /** @param link in the same directory as what may be made to find out */
  async make(sftp: SftpCalls, { link, target }: { readonly link: string; readonly target: string }): Promise<void> {
    let known = this.#isTargetFirst.get(sftp);
    if (!known) {
      known = probe(sftp, link.slice(0, link.lastIndexOf("/") + 1));
      this.#isTargetFirst.set(sftp, known);
    }
    await ((await known) ? sftp.symlink(target, link) : sftp.symlink(link, target));
  }
}

async function probe(sftp: SftpCalls, directory: string): Promise<boolean> {
  const [first, second] = [1, 2].map(() => `${directory}.backup-${randomUUID()}`) as [string, string];
  await sftp.symlink(first, second);
  const isTargetFirst = (await unless([STATUS.NO_SUCH_FILE], sftp.readlink(second))) === first;
  await sftp.unlink(isTargetFirst ? second : first).catch((error: unknown) => {
    // A name that is left behind is the next run's to delete.
    if (!(error instanceof SftpStatus)) throw error;
  });
  return isTargetFirst;
}
