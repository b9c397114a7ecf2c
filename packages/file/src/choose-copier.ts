import { BackupError, type ErrorCode, type EventSink, type Store, isBackupError } from "@backup/core";
import { rsyncVersion } from "@backup/transport-rsync";
import type { Copier } from "./copier.js";
import type { RawPath } from "./raw-path.js";
import { TreeCopier, type TreeCopierOptions, reachOf } from "./tree-copier.js";
import type { TreeEnd } from "./tree-end.js";
import type { TreeOptions } from "./tree-options.js";
import { WalkCopier } from "./walk-copier.js";

/** How a tree is copied; default: by rsync(1) where both ends have it, else entry by entry. */
export type TreeTransport = "rsync" | "sftp" | undefined;

export interface ChooseCopier extends TreeCopierOptions {
  readonly name: string;
  readonly transport?: TreeTransport;
  readonly onEvent: EventSink;
}

/** With these rsync(1) may be missing at the source; what else goes wrong there does so by any way. */
const UNCLEAR: ReadonlySet<ErrorCode> = new Set(["TRANSPORT_MISSING", "PROTOCOL", "CONNECTION_LOST"]);

/**
 * What copies a tree to a store, and says so where it is not rsync(1).
 * @param path what the source is asked for, to see whether rsync works there
 * @throws BackupError TRANSPORT_MISSING; USAGE for options that are rsync's
 */
export async function chooseCopier(
  options: ChooseCopier,
  { store, path }: { readonly store: Store; readonly path: RawPath | undefined },
  signal: AbortSignal,
): Promise<Copier> {
  const { source, name, transport, onEvent } = options;
  if (transport !== "sftp") {
    const rsync = new TreeCopier(options);
    const why = await whyNoRsync(rsync, { source, store, path }, signal);
    if (!why) return rsync;
    await rsync[Symbol.asyncDispose]();
    if (transport === "rsync") throw why;
    checkHere(options, why);
    await checkWalk(options, store, signal);
    const message = `each entry is compared and copied by backup itself: ${why.message}`;
    onEvent({ type: "transport", host: name, transport: "sftp", message });
  } else await checkWalk(options, store, signal);
  const { sparse, numericIds, bwlimit } = options;
  const given = { "--sparse": sparse, "--numeric-ids": numericIds, "--bwlimit": bwlimit };
  const unused = Object.entries(given).flatMap(([option, value]) => (value ? [option] : []));
  if (unused.length > 0) {
    const message = `${unused.join(", ")}: of no use where rsync does not copy`;
    onEvent({ type: "warning", code: "OPTION_UNUSED", message });
  }
  return new WalkCopier(options);
}

/**
 * Entry by entry all goes through this machine.
 * @param why rsync(1) is missing at an end
 * @throws BackupError TRANSPORT_MISSING where the two hosts are to connect to each other
 */
export function checkHere({ connectedBy = "here" }: Pick<TreeCopierOptions, "connectedBy">, why: BackupError): void {
  if (connectedBy === "here") return;
  // What it says of --transport is of no use here.
  const reason = why.message.replace(/, or use --transport[ =]sftp$/, "");
  const message = `--runonsrc and --runondst take rsync at both hosts and here; without them all can go through this machine by SFTP: ${reason}`;
  throw new BackupError("TRANSPORT_MISSING", message, { cause: why });
}

/** @throws BackupError TRANSPORT_MISSING, USAGE */
async function checkWalk({ rsync: [option] = [] }: TreeOptions, store: Store, signal: AbortSignal): Promise<void> {
  if (!(await store.tree?.("", {}, signal)))
    throw new BackupError(
      "TRANSPORT_MISSING",
      `${store.name} takes no directory trees: it is reached neither by rsync nor by SFTP; name a directory here or [user@]host:dir`,
    );
  if (option === undefined) return;
  throw new BackupError(
    "USAGE",
    `${option} after -- is for rsync, which does not copy here: it is missing at an end, or --transport sftp is given`,
  );
}

async function whyNoRsync(
  rsync: Copier,
  { source, store, path }: { readonly source: TreeEnd; readonly store: Store; readonly path: RawPath | undefined },
  signal: AbortSignal,
): Promise<BackupError | undefined> {
  try {
    await reachOf(store, signal);
    await rsyncVersion();
  } catch (error) {
    if (isBackupError(error, "TRANSPORT_MISSING")) return error;
    throw error;
  }
  if (source.local !== undefined) return undefined;
  try {
    await rsync.has(path, signal);
    return undefined;
  } catch (error) {
    if (!isBackupError(error) || !UNCLEAR.has(error.code)) throw error;
    return source.whyNoRsync(signal);
  }
}
