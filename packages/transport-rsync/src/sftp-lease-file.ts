import { randomUUID } from "node:crypto";
import type { LeaseFile } from "@backup/core";
import { type Handle, OPEN, STATUS, type SftpCalls, unless, unlessRefused } from "./sftp-calls.js";
import { settleAll } from "./sftp-in-flight.js";

/** Runs a task on the server, again where its connection is lost. */
export type Run = <T>(task: (sftp: SftpCalls) => Promise<T>) => Promise<T>;

/** What a lease is at most; a longer file is none. */
const LEASE_BYTES = 4096;

/** Attempts at a name that is taken fail with FAILURE, as do links where there are none. */
const REFUSED = [STATUS.FAILURE, STATUS.NO_SUCH_FILE, STATUS.PERMISSION_DENIED, STATUS.UNSUPPORTED];

/**
 * The lease as a file of the server. Its modification time is the heartbeat; both that and the present are read by the
 * server's clock, in whole seconds.
 */
export function sftpLeaseFile(path: string, run: Run): LeaseFile {
  const mine = `${path}.${randomUUID()}`;
  return {
    create: (text) =>
      run(async (sftp) => {
        const handle = await sftp.open(mine, OPEN.CREATE | OPEN.TRUNCATE | OPEN.WRITE);
        // All sent together: the server does one after the other.
        const filled = fill(sftp, handle, text);
        const linked = exclusive(sftp, { from: mine, to: path, text });
        try {
          await settleAll([filled, linked]);
        } catch (error) {
          // It must not look held by a run that could not write its name there.
          if (await linked.catch(() => false)) await sftp.unlink(path);
          throw error;
        }
        // What stays of it when the connection is lost now, the next lease clears.
        sftp.unlink(mine).catch(() => {});
        if (await linked) return true;
        // It may be this one: made before the connection was lost, and not answered.
        return (await readText(sftp, path))?.text === text;
      }),
    read: () =>
      run(async (sftp) => {
        const [found, now] = await Promise.all([readText(sftp, path), nowAt(sftp, `${path}.${randomUUID()}`)]);
        // A second less than it seems: the times are cut off, and a living lease must not look old.
        return found && { text: found.text, ageMs: Math.max(0, (now - found.mtime - 1) * 1000) };
      }),
    beat: (text) =>
      run(async (sftp) => {
        // By one handle: what is written goes to the file whose content was seen, not to one that took its name since.
        const handle = await sftp.open(path, OPEN.READ | OPEN.WRITE);
        await closing(sftp, handle, async () => {
          if ((await readFrom(sftp, handle)) === text) await sftp.write(handle, Buffer.from(text), 0);
        });
      }),
    remove(text) {
      // Taken aside first: of two that remove at once, only one gets the file, and it sees whose it was.
      const aside = `${path}.${randomUUID()}`;
      return run(async (sftp) => {
        const renamed = sftp.offers.posixRename ? sftp.posixRename(path, aside) : sftp.rename(path, aside);
        // Sent together: the server does one after the other.
        const [, found] = await Promise.all([unless([STATUS.NO_SUCH_FILE], renamed), readText(sftp, aside)]);
        if (!found) return true;
        if (found.text !== text) await exclusive(sftp, { from: aside, to: path, text: found.text });
        await unless([STATUS.NO_SUCH_FILE], sftp.unlink(aside));
        return found.text === text;
      });
    },
  };
}

/**
 * Gives a finished file its name, if that is free: link(2), or an exclusive open where there are no hard links. Not by
 * RENAME, which replaces on some servers.
 */
async function exclusive(
  sftp: SftpCalls,
  { from, to, text }: { readonly from: string; readonly to: string; readonly text: string },
): Promise<boolean> {
  if (sftp.offers.hardlink && (await unlessRefused(REFUSED, sftp.hardlink(from, to)))) return true;
  const create = (): Promise<Handle> => sftp.open(to, OPEN.CREATE | OPEN.EXCLUSIVE | OPEN.WRITE);
  const handle = await unless([STATUS.FAILURE], create());
  if (!handle && (await unless([STATUS.NO_SUCH_FILE], sftp.lstat(to)))) return false;
  // Refused, and nothing is there: a full disk, and no lease that another holds. The refusal itself says why.
  await fill(sftp, handle ?? (await create()), text);
  return true;
}

async function fill(sftp: SftpCalls, handle: Handle, text: string): Promise<void> {
  await settleAll([sftp.write(handle, Buffer.from(text), 0), sftp.close(handle)]);
}

async function readText(
  sftp: SftpCalls,
  path: string,
): Promise<{ readonly text: string; readonly mtime: number } | undefined> {
  const handle = await unless([STATUS.NO_SUCH_FILE], sftp.open(path, OPEN.READ));
  if (!handle) return undefined;
  return closing(sftp, handle, async () => {
    const [stats, text] = await Promise.all([sftp.fstat(handle), readFrom(sftp, handle)]);
    return { text, mtime: stats.mtime };
  });
}

async function readFrom(sftp: SftpCalls, handle: Handle): Promise<string> {
  const buffer = Buffer.alloc(LEASE_BYTES);
  return buffer.toString("utf8", 0, await sftp.read(handle, buffer, buffer.length, 0));
}

/** The present by the server's clock, seconds. */
async function nowAt(sftp: SftpCalls, probe: string): Promise<number> {
  const handle = await sftp.open(probe, OPEN.CREATE | OPEN.TRUNCATE | OPEN.WRITE);
  const [stats] = await Promise.all([
    sftp.fstat(handle),
    sftp.close(handle),
    unless([STATUS.NO_SUCH_FILE], sftp.unlink(probe)),
  ]);
  return stats.mtime;
}

async function closing<T>(sftp: SftpCalls, handle: Handle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    // Nothing depends on the answer.
    sftp.close(handle).catch(() => {});
  }
}
