import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LEASE_FILE, type LeaseFile, type LeaseTiming, PRIVATE, type Path, isBackupError } from "@backup/core";
import { type RcloneSender, TEMPORARY } from "./rclone-sender.js";
import type { RemoteDirectory } from "./remote-directory.js";

/** A remote may ask for pauses, so that a heartbeat comes late. */
export const RCLONE_LEASE_TIMING: LeaseTiming = { beatMs: 60_000, expiryMs: 10 * 60_000 };

/** At most, before one comes again that was not alone. */
const PAUSE_MS = 1500;
const CLAIMS = `${PRIVATE}/claims`;

export interface RcloneLeaseOptions {
  readonly remote: RemoteDirectory;
  readonly sender: RcloneSender;
  readonly until: () => AbortSignal;
  readonly expiryMs: number;
}

/**
 * The lease at a remote, where no file can be made on the condition that there is none.
 *
 * Whoever wants it writes a claim under a name of its own, and only then looks for others: for claims, and for the lease.
 * Of two at once at least the later one sees the other, and then takes nothing. That holds where a listing has whatever
 * was written before it began, as in file systems and in S3. Elsewhere two may both believe to have it; then the next
 * heartbeat of one finds the other's, and stops. Until then no file is lost, since each is written whole under a name
 * that says what is in it, but work is done twice.
 */
export function rcloneLeaseFile({ remote, sender, until, expiryMs }: RcloneLeaseOptions): LeaseFile {
  const put = (path: Path, text: string): Promise<void> => sender.write(path, Buffer.from(text), until());
  const timeOf = async (path: Path, directory: Path): Promise<number | undefined> => {
    const entries = await remote.entries(directory, until(), { times: true });
    return entries?.find(({ name }) => childIs(directory, name, path))?.mtime;
  };
  /** By the remote's clock where that sets the times of files, else by ours. */
  const now = async (): Promise<number> => {
    const clock = `${TEMPORARY}/clock`;
    await put(clock, "");
    return (await timeOf(clock, TEMPORARY)) ?? Date.now();
  };
  const read = async (): Promise<string | undefined> => {
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of remote.read(LEASE_FILE, until())) pieces.push(piece);
      return Buffer.concat(pieces).toString();
    } catch (error) {
      if (isBackupError(error, "NOT_FOUND")) return undefined;
      throw error;
    }
  };
  /** Whether nobody else claims it; claims of those that were killed are removed. */
  const isAlone = async (own: string): Promise<boolean> => {
    const claims = (await remote.entries(CLAIMS, until(), { times: true })) ?? [];
    const others = claims.filter(({ name, isDirectory }) => !isDirectory && name !== own);
    if (others.length === 0) return true;
    const latest = await now();
    const old = others.filter(({ mtime }) => latest - mtime > expiryMs);
    for (const { name } of old) await remote.remove(`${CLAIMS}/${name}`, until());
    return old.length === others.length;
  };
  return {
    async create(text) {
      if ((await read()) !== undefined) return false;
      const own = createHash("sha256").update(text).digest("hex").slice(0, 32);
      await put(`${CLAIMS}/${own}`, "");
      try {
        if (!(await isAlone(own))) {
          // Both have gone back then: whoever comes again first finds nobody.
          await sleep(Math.random() * PAUSE_MS);
          return false;
        }
        if ((await read()) !== undefined) return false;
        await put(LEASE_FILE, text);
        return (await read()) === text;
      } finally {
        await remote.remove(`${CLAIMS}/${own}`, until());
      }
    },
    async read() {
      const text = await read();
      if (text === undefined) return undefined;
      const written = await timeOf(LEASE_FILE, PRIVATE);
      return { text, ageMs: written === undefined ? 0 : (await now()) - written };
    },
    async beat(text) {
      await put(LEASE_FILE, text);
    },
    async remove(text) {
      const found = await read();
      if (found === text) await remote.remove(LEASE_FILE, until());
      return found === undefined || found === text;
    },
  };
}

function childIs(directory: Path, name: string, path: Path): boolean {
  return `${directory}/${name}` === path;
}
