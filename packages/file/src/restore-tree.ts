import { join } from "node:path";
import {
  BackupError,
  CHECKPOINT_FILE,
  type EventSink,
  type Reach,
  type RestoreReport,
  type RestoreRequest,
  type Target,
  type Store,
  backupAround,
  isBackupError,
  isSafe,
} from "@backup/core";
import {
  type ConnectedBy,
  type RemoteDirectory,
  remotePosition,
  rsyncCopy,
  rsyncVersion,
  syncReach,
} from "@backup/transport-rsync";
import { type TreeTransport, checkHere } from "./choose-copier.js";
import { tellComplaints } from "./complaints.js";
import { type Itemized, ITEMIZE } from "./itemized.js";
import type { Complaint, Copied } from "./copier.js";
import { restoreByWalking } from "./restore-by-walking.js";
import { RsyncReader } from "./rsync-copied.js";
import { notReached } from "./tree-copier.js";

export interface TreeTargetOptions {
  /** As it was given. */
  readonly name: string;
  /** A directory of this machine, absolute, or one on a host. */
  readonly at: string | RemoteDirectory;
  /** Only this file or directory of the backup, with all that is in it; it arrives under its own name. Default: all. */
  readonly path?: string | undefined;
  /** What is there and differs is replaced. Default: it stays. */
  readonly overwrite: boolean;
  /** Default: by rsync(1) where both ends have it, else entry by entry. */
  readonly transport?: TreeTransport;
  /** As RsyncCopy.connectedBy, from the backup to the target. */
  readonly connectedBy?: ConnectedBy | undefined;
}

/** Brings back what is missing, or says what would be. */
export type CopyBack = (task: "compare" | "transfer", onItem: (item: Itemized) => void) => Promise<Copied>;

/** Time between two events of progress, milliseconds. */
const EVENT_MS = 100;

/** A directory that a tree is brought back to. Nothing is deleted there. */
export class TreeTarget implements Target {
  readonly #options: TreeTargetOptions;

  constructor(options: TreeTargetOptions) {
    this.#options = options;
  }

  async restore({ store, dryRun, signal, onEvent }: RestoreRequest): Promise<RestoreReport> {
    const started = performance.now();
    const { at, name, path } = this.#options;
    if (path !== undefined && !isSafe(path))
      throw new BackupError("USAGE", `--path takes the path of a file or directory in the backup, not '${path}'`);
    // A published snapshot is never changed, and what is no backup's own would be removed by its next run.
    const around = typeof at === "string" ? await backupAround(join(at, "inside")) : await backupThere(at, signal);
    if (around !== undefined)
      throw new BackupError(
        "USAGE",
        `${name} is in the backup at ${around}, which only runs write to; name another directory`,
      );
    const copy = await this.#copier(store, { onEvent, signal });
    let missing = 0;
    const planned = await copy("compare", ({ kind, action }) => {
      if (kind !== "directory" && action !== "attributes") missing++;
    });
    checkFound(planned.complaints, path, store.name);
    const { files, bytes } = planned.totals;
    const present = files - missing;
    onEvent({ type: "restore-plan", collections: 1, items: files, present, missing, bytes, unit: "file" });
    const seconds = (): number => (performance.now() - started) / 1000;
    const common = { unit: "file" as const, dryRun, collections: 1, items: files, present, left: 0 };
    let report: RestoreReport = { ...common, result: "done", restored: missing, failed: 0, bytes, seconds: 0 };
    if (!dryRun) {
      const told = progressOf(missing, bytes, onEvent);
      const done = await copy("transfer", told);
      const failed = tellComplaints(done, { onEvent }, name);
      const result = failed > 0 ? "partial" : "done";
      const restored = Math.max(0, missing - failed);
      report = { ...report, result, restored, failed, bytes: done.totals.bytes };
    }
    report = { ...report, seconds: seconds() };
    onEvent({ type: "restored", report });
    return report;
  }

  async #copier(store: Store, { onEvent, signal }: Pick<RestoreRequest, "onEvent" | "signal">): Promise<CopyBack> {
    const { at, name, transport } = this.#options;
    const from = await store.reach?.(signal);
    if (transport !== "sftp") {
      const why = from ? await whyNoRsync(at, signal) : notReached(store);
      if (from && !why) return this.#byRsync(from, signal);
      const reason = why ?? notReached(store);
      if (transport === "rsync") throw reason;
      checkHere(this.#options, reason);
      const message = `each entry is compared and copied by backup itself: ${reason.message}`;
      onEvent({ type: "transport", host: name, transport: "sftp", message });
    }
    return restoreByWalking({ ...this.#options, store, onEvent, signal });
  }

  async #byRsync(from: Reach, signal: AbortSignal): Promise<CopyBack> {
    const { at, path, overwrite, connectedBy } = this.#options;
    const to: Reach = typeof at === "string" ? { directory: at } : await at.reach(signal);
    const options = [
      "--archive",
      "--hard-links",
      "-A",
      "-X",
      "--filter=- /.backup",
      "--mkpath",
      "--stats",
      ...ITEMIZE,
      ...(overwrite ? [] : ["--ignore-existing"]),
    ];
    return async (task, onItem) => {
      const more = task === "compare" ? ["--dry-run"] : [];
      const copied = await copyPart({ from, to, connectedBy, path, options: [...options, ...more], onItem, signal });
      if (task === "transfer") await syncReach(to, signal);
      return copied;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { at } = this.#options;
    if (typeof at !== "string") await at[Symbol.asyncDispose]();
  }
}

/** What keeps rsync(1) from writing there; undefined: nothing. */
async function whyNoRsync(at: string | RemoteDirectory, signal: AbortSignal): Promise<BackupError | undefined> {
  try {
    await rsyncVersion();
    return typeof at === "string" ? undefined : await at.whyNoRsync(signal);
  } catch (error) {
    if (isBackupError(error, "TRANSPORT_MISSING")) return error;
    throw error;
  }
}

async function copyPart({
  from,
  to,
  connectedBy,
  path,
  options,
  onItem,
  signal,
}: {
  readonly from: Reach;
  readonly to: Reach;
  readonly connectedBy: ConnectedBy | undefined;
  readonly path: string | undefined;
  readonly options: readonly string[];
  readonly onItem: (item: Itemized) => void;
  readonly signal: AbortSignal;
}): Promise<Copied> {
  const reader = new RsyncReader(onItem);
  // Without the directories above it.
  const cut = path === undefined ? -1 : path.lastIndexOf("/");
  const above = path === undefined ? "" : path.slice(0, Math.max(0, cut));
  const part = path === undefined ? undefined : Buffer.from(path.slice(cut + 1)).toString("latin1");
  const start =
    above === "" ? from : { ...from, directory: `${from.directory === "" ? "." : from.directory}/${above}` };
  const files = part === undefined ? {} : { files: [part] };
  const given = part === undefined ? options : [...options, "--recursive"];
  const run = { from: start, to, connectedBy, options: given, ...files, onLine: reader.line, signal };
  return reader.copied(await rsyncCopy(run));
}

/** The backup that a directory at a host is in, as far as the account may look. */
async function backupThere(at: RemoteDirectory, signal: AbortSignal): Promise<string | undefined> {
  const position = await unlessMissing(async () => {
    const { shell, directory } = await at.reach(signal);
    return shell && (await remotePosition({ shell, directory }, signal));
  });
  if (position) return position.directories.find(({ isBackup }) => isBackup)?.path;
  const [around] = (await unlessMissing(() => at.above(CHECKPOINT_FILE, signal))) ?? [];
  return around?.directory;
}

async function unlessMissing<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (isBackupError(error, "TRANSPORT_MISSING")) return undefined;
    throw error;
  }
}

/** @throws BackupError NOT_FOUND */
function checkFound(complaints: readonly Complaint[], path: string | undefined, where: string): void {
  const [first] = complaints;
  if (first === undefined) return;
  if (path !== undefined && /link_stat .* failed: No such file/.test(first.text))
    throw new BackupError("NOT_FOUND", `${where} has no ${path}; backup ls ${where} shows what there is`);
}

function progressOf(totalItems: number, totalBytes: number, onEvent: EventSink): (item: Itemized) => void {
  let [items, bytes, last] = [0, 0, Number.NEGATIVE_INFINITY];
  return ({ kind, action, size }) => {
    if (kind === "directory" || action === "attributes") return;
    items++;
    if (action === "transfer") bytes += size;
    const now = performance.now();
    if (now - last < EVENT_MS && items < totalItems) return;
    last = now;
    onEvent({ type: "progress", items, bytes, totalItems, totalBytes });
  };
}
