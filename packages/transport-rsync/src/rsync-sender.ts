import { randomUUID } from "node:crypto";
import { copyFileSync, linkSync, mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkPath, systemCode, throwIfAborted } from "@backup/core";
import type { RsyncExit } from "./rsync-errors.js";
import { FSYNC, type RsyncMeans, describeRsync, isFsyncRefused, push } from "./rsync-push.js";
import type { Outgoing, Sender } from "./sender.js";
import { type Spool, spoolError } from "./spool.js";

export interface RsyncSenderOptions extends RsyncMeans {
  /** The destination's directory, as rsync sees it; it has a `.backup/tmp`. */
  readonly directory: string;
  readonly spool: Spool;
}

const TEMPORARY = ".backup/tmp";
/** Files that are laid out between two turns of the event loop. */
const CHUNK = 100;

export interface RsyncSender extends Sender {
  /** Whether the other side has taken --fsync so far. */
  syncs(): boolean;
}

/**
 * Sends files with rsync(1) straight to their places, each batch in one run: for accounts where nothing else works.
 *
 * No --partial: it would put half a file under its final name. Temporary files are apart, in --temp-dir, where nobody
 * looks for mail, and where the next lease clears what a killed rsync leaves.
 */
export function rsyncSender(options: RsyncSenderOptions): RsyncSender {
  const { directory, spool } = options;
  const absolute = `${directory.replace(/\/+$/, "")}/${TEMPORARY}`;
  let temporary = directory.startsWith("/") ? absolute : TEMPORARY;
  let canSync = true;

  const learn = (refusal: RsyncExit): boolean => {
    // Relative, rsync means the destination, and rrsync the root of what it allows: of that it knows one by its `/`.
    if (/option path does not exist/.test(refusal.stderr) && temporary === TEMPORARY && directory !== "") {
      temporary = `/${absolute}`;
      return true;
    }
    if (!canSync || !isFsyncRefused(refusal)) return false;
    canSync = false;
    return true;
  };

  return {
    syncs: () => canSync,
    describe: (signal) => describeRsync(options, signal),
    fromFiles: true,
    batchFiles: 4096,
    batchBytes: spool.limitBytes / 2,
    async send(files, signal) {
      throwIfAborted(signal);
      for (const { path } of files) checkPath(path);
      if (files.length === 0) return;
      const local = join(await spool.directory(), `tree-${randomUUID()}`);
      try {
        await growTree(local, files).catch((error: unknown) => {
          throw spoolError(error, local);
        });
        await push(options, {
          local,
          directory,
          files: [...new Set(files.map(({ path }) => path))],
          totalBytes: files.reduce((sum, { size }) => sum + size, 0),
          options: () => [...(canSync ? [FSYNC] : []), `--temp-dir=${temporary}`],
          learn,
          signal,
        });
      } finally {
        await rm(local, { recursive: true, force: true });
      }
    },
  };
}

/**
 * Lays files out as they shall be there, as other names of those in the spool. Not asynchronous: each call is a few
 * microseconds on a local disk, and waiting for a thread costs ten times that.
 */
async function growTree(tree: string, files: readonly Outgoing[]): Promise<void> {
  const made = new Set<string>();
  for (const [index, { path, mtime, content }] of files.entries()) {
    if (index % CHUNK === CHUNK - 1) await new Promise(setImmediate);
    const target = join(tree, path);
    const parent = dirname(target);
    if (!made.has(parent)) mkdirSync(parent, { recursive: true, mode: 0o700 });
    made.add(parent);
    // Of two with the same path the later one counts.
    rmSync(target, { force: true });
    if (content instanceof Uint8Array) writeFileSync(target, content, { mode: 0o600 });
    else linkOrCopy(content.file, target);
    // As a text, because Node takes a number before 1970 for the present.
    utimesSync(target, String(mtime / 1000), String(mtime / 1000));
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EMLINK"].includes(systemCode(error) ?? "")) throw error;
    copyFileSync(from, to);
  }
}
