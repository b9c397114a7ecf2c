import { setTimeout as sleep } from "node:timers/promises";
import {
  BackupError,
  type Body,
  type Cloned,
  type Content,
  type Description,
  type Digested,
  type Directory,
  type EventSink,
  type FileContent,
  type Item,
  type Lease,
  type LeaseTiming,
  type Move,
  type Outcome,
  PRIVATE,
  type Path,
  type Place,
  type Reach,
  type Store,
  type Stored,
  checkPath,
  isBackupError,
  parentOf,
  throwIfAborted,
} from "@backup/core";
import type { RemoteShell } from "@backup/core";
import { takeRemoteLease } from "./remote-lease.js";
import { remotePut } from "./remote-put.js";
import { digestsByRsync } from "./rsync-digests.js";
import { cloneByLinks } from "./rsync-clone.js";
import { RSYNC_LEASE_TIMING, rsyncClockSkew, rsyncLeaseFile } from "./rsync-lease.js";
import type { RsyncEntry } from "./rsync-listing.js";
import { groupMoves, moveByCopying } from "./rsync-moves.js";
import { type RunRsync, rsyncProgram } from "./rsync-process.js";
import { oneAtATime } from "./rsync-queue.js";
import { type RsyncSender, rsyncSender } from "./rsync-sender.js";
import { pullBatches, pullContents } from "./rsync-contents.js";
import { holdsColon, makeRoot } from "./rsync-root.js";
import { retryTransient } from "./rsync-retry.js";
import { RsyncTree } from "./rsync-tree.js";
import type { Outgoing } from "./sender.js";
import type { Spool } from "./spool.js";

export interface RsyncOnlyStoreOptions {
  /** What a person calls it. */
  readonly name: string;
  /** As rsync sees it; relative to what the account starts in unless it begins with `/`. */
  readonly directory: string;
  readonly shell: (signal: AbortSignal) => Promise<RemoteShell>;
  /** Not the store's: the caller disposes of it. */
  readonly spool: Spool;
  readonly onEvent?: EventSink;
  readonly timing?: LeaseTiming;
  /** As rsync(1) takes it. */
  readonly bwlimit?: string;
  readonly run?: RunRsync;
  /** Before the first retry of what failed, milliseconds. */
  readonly retryMs?: number;
}

const TEMPORARY = `${PRIVATE}/tmp`;
/** Two runs of rsync, each with a connection of its own. */
const RELEASE_MS = 10_000;
/** Times are listed to the second: until the next one begins, a stamp could be that of a later change too. */
const STAMP_MS = 1100;

/**
 * A directory on a host where the account may run rsync(1) and nothing else, as rrsync(1) restricts it.
 *
 * Names of directories are as durable as the host makes them by itself: rsync has no fsync(2) for those.
 */
export class RsyncOnlyStore implements Store {
  readonly name: string;
  readonly #options: RsyncOnlyStoreOptions;
  readonly #tree: RsyncTree;
  /** For what is begun anew as a whole when a part of it fails. */
  readonly #onceTree: RsyncTree;
  readonly #sender: RsyncSender;
  #colon = true;
  #changedAt = Number.NEGATIVE_INFINITY;
  #hasWarned = false;

  constructor(options: RsyncOnlyStoreOptions) {
    this.name = options.name;
    this.#options = options;
    const run = oneAtATime(options.run ?? rsyncProgram());
    this.#tree = new RsyncTree({ ...options, run });
    this.#onceTree = new RsyncTree({ ...options, run, retries: 0 });
    this.#sender = rsyncSender({ ...options, run });
  }

  get can(): Store["can"] {
    return { colon: this.#colon, rename: false };
  }

  async lease(signal: AbortSignal): Promise<Lease> {
    throwIfAborted(signal);
    await makeRoot(this.#tree, signal);
    await this.makeDirectories([TEMPORARY], signal);
    const timing = this.#options.timing ?? RSYNC_LEASE_TIMING;
    const lease = await takeRemoteLease((until) => rsyncLeaseFile(this.#tree, until), {
      where: this.name,
      timing,
      releaseMs: RELEASE_MS,
      signal,
    });
    try {
      const left = await this.#tree.list([`${TEMPORARY}/`], signal);
      await this.#tree.remove(
        left.flatMap(({ type, path }) => (type === "directory" ? [] : [path])),
        signal,
      );
      this.#colon = await holdsColon(this.#tree, this.#sender, signal);
      return lease;
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  async directories(leaves: readonly string[], signal: AbortSignal, at: Path = ""): Promise<readonly Directory[]> {
    throwIfAborted(signal);
    const wait = this.#changedAt + STAMP_MS - performance.now();
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => throwIfAborted(signal));
    const rules = [
      // A directory that has one is another destination; what is in it is of no interest.
      `- ${PRIVATE}/*`,
      `+ ${PRIVATE}`,
      "- .*",
      ...leaves.map((name) => `- ${name.replace(/[*?[\]\\]/g, "\\$&")}/*`),
      "+ */",
      "- *",
    ];
    const entries = await this.#orMissing(this.#tree.listAll(rules, signal, at));
    const others = entries.filter(({ path }) => path.endsWith(`/${PRIVATE}`)).map(({ path }) => `${parentOf(path)}/`);
    return entries
      .filter(({ type, path }) => type === "directory" && path !== PRIVATE)
      .filter(({ path }) => !others.some((other) => `${path}/`.startsWith(other)))
      .map(({ path, mtime }) => ({ path: at === "" ? path : `${at}/${path}`, stamp: String(mtime / 1000) }));
  }

  async subdirectories(directories: readonly Path[], signal: AbortSignal): Promise<readonly Path[]> {
    throwIfAborted(signal);
    for (const path of directories) if (path !== "") checkPath(path);
    const wanted = new Set(directories);
    const names = directories.map((path) => (path === "" ? "./" : `${path}/`));
    const entries = await this.#orMissing(this.#tree.list(names, signal));
    return entries
      .filter(({ type, path }) => type === "directory" && wanted.has(parentOf(path)) && !/(?:^|\/)\.[^/]*$/.test(path))
      .map(({ path }) => path);
  }

  async list(directories: readonly Path[], signal: AbortSignal): Promise<readonly Stored[]> {
    throwIfAborted(signal);
    for (const path of directories) checkPath(path);
    const wanted = new Set(directories);
    const names = [...wanted].map((path) => `${path}/`);
    const entries = await this.#orMissing(this.#tree.list(names, signal));
    return entries
      .filter(({ type, path }) => type === "file" && wanted.has(parentOf(path)))
      .map(({ path, size, mtime }) => ({ path, size, mtime }));
  }

  async read(path: Path, signal: AbortSignal): Promise<Uint8Array> {
    throwIfAborted(signal);
    checkPath(path);
    const file = { path, size: 0, mtime: 0 };
    const [content] = await pullContents(this.#tree, [file], { where: this.name, signal });
    if (!content) throw new TypeError(`no answer for ${path}`);
    if ("error" in content) throw content.error;
    return content.bytes;
  }

  async *contents(files: readonly Stored[], signal: AbortSignal): AsyncGenerator<FileContent> {
    for (const { path } of files) checkPath(path);
    for (const batch of pullBatches(files)) {
      throwIfAborted(signal);
      yield* await pullContents(this.#tree, batch, { where: this.name, signal });
    }
  }

  async makeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (const path of paths) checkPath(path);
    const all = withParents(paths);
    const found = new Map((await this.#orMissing(this.#tree.list(all, signal))).map((entry) => [entry.path, entry]));
    for (const [path, { type }] of found)
      if (type !== "directory")
        throw new BackupError(
          "DESTINATION_UNWRITABLE",
          `${this.name}: ${path} is ${type === "link" ? "a symbolic link, and those are not followed" : "no directory"}; put the directory itself there`,
        );
    const missing = all.filter((path) => !found.has(path));
    if (missing.length > 0) await this.#changing(this.#tree.makeDirectories(missing, signal));
  }

  async *digests(paths: readonly Path[], signal: AbortSignal): AsyncGenerator<Digested> {
    throwIfAborted(signal);
    for (const path of paths) checkPath(path);
    const there = await this.#orMissing(this.#tree.list([...new Set(paths)], signal));
    const { limitBytes } = this.#options.spool;
    yield* digestsByRsync({ paths, there, tree: this.#tree, limitBytes }, signal);
  }

  /** None: rsync(1) gives whole files only. */
  async heads(paths: readonly Path[]): Promise<ReadonlyMap<Path, Uint8Array>> {
    for (const path of paths) checkPath(path);
    return new Map();
  }

  /** None: rsync(1) makes no name of a file that is there already. */
  async link(links: readonly Move[]): Promise<readonly boolean[]> {
    return links.map(({ from, to }) => {
      checkPath(from);
      checkPath(to);
      return false;
    });
  }

  async move(moves: readonly Move[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (const { from, to } of moves) {
      checkPath(from);
      checkPath(to);
    }
    if (moves.length === 0) return;
    const sizes = new Map((await this.#entriesOf(moves, signal)).map(({ path, size }) => [path, size]));
    const limits = { files: this.#sender.batchFiles, bytes: this.#sender.batchBytes };
    const groups = groupMoves(moves, { ...limits, sizeOf: (path) => sizes.get(path) ?? 0 });
    this.#warn(moves.filter(({ from }) => sizes.has(from)).length);
    for (const group of groups) {
      const there = await this.#entriesOf(group, signal);
      const work = { group, there, tree: this.#tree, sender: this.#sender, where: this.name };
      await this.#changing(moveByCopying(work, signal));
    }
  }

  async *put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Outcome<I>[]> {
    const spool = this.#options.spool;
    for await (const batch of remotePut(bodies, { place, signal, sender: this.#sender, spool })) {
      this.#changedAt = performance.now();
      yield batch;
    }
  }

  async write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const file: Outgoing = { path, mtime: Date.now(), size: bytes.byteLength, content: bytes };
    await this.#changing(this.#sender.send([file], signal));
  }

  async remove(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (const path of paths) checkPath(path);
    // Asked for first: rsync makes the missing parents of what it is to remove.
    const entries = await this.#orMissing(this.#tree.list([...new Set(paths)], signal));
    const there = entries.flatMap(({ type, path }) => (type === "directory" ? [] : [path]));
    if (there.length > 0) await this.#changing(this.#tree.remove(there, signal));
  }

  async removeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (const path of paths) checkPath(path);
    const entries = await this.#orMissing(this.#tree.list(withParents(paths), signal));
    const there = entries.flatMap(({ type, path }) => (type === "directory" ? [path] : []));
    // From the deepest up, a run for each depth: rsync leaves those that are not empty, and takes parents first.
    const depthOf = (path: Path): number => path.split("/").length;
    const depths = [...new Set(there.map(depthOf))].toSorted((a, b) => b - a);
    for (const depth of depths) {
      const level = there.filter((path) => depthOf(path) === depth);
      await this.#changing(this.#tree.remove(level, signal));
    }
  }

  async clone(from: Path, to: Path, signal: AbortSignal): Promise<Cloned> {
    throwIfAborted(signal);
    checkPath(from);
    checkPath(to);
    if ((await this.#typeOf(from, signal)) !== "directory")
      throw new BackupError("NOT_FOUND", `${this.name} has no directory ${from}`);
    const { name: where, directory, retryMs } = this.#options;
    const clone = { tree: this.#onceTree, directory, from, to, where };
    return this.#changing(retryTransient(() => cloneByLinks(clone, signal), { signal, waitMs: retryMs }));
  }

  /** By a clone, and the removal of what was cloned: rsync(1) renames nothing. */
  async moveTree(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    checkPath(to);
    if ((await this.#typeOf(to, signal)) === "directory") {
      if ((await this.#typeOf(from, signal)) === undefined) return;
      await this.#checkHalf(from, to, signal);
    }
    await this.clone(from, to, signal);
    await this.removeTree(from, signal);
  }

  async removeTree(path: Path, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    checkPath(path);
    if ((await this.#typeOf(path, signal)) === "directory") await this.#changing(this.#tree.removeTree(path, signal));
  }

  async reach(signal: AbortSignal): Promise<Reach> {
    this.#changedAt = performance.now();
    return { shell: await this.#options.shell(signal), directory: this.#options.directory };
  }

  async describe(signal: AbortSignal): Promise<Description> {
    throwIfAborted(signal);
    return {
      transport: "rsync alone, by OpenSSH",
      rename: false,
      link: false,
      fsync: this.#sender.syncs(),
      colon: this.#colon,
      clockSkewMs: await rsyncClockSkew(this.#tree, signal),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing open between calls.
  }

  /** What an interrupted move left holds nothing but what it was to hold; anything else is somebody's. */
  async #checkHalf(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    const wanted = new Set((await this.#tree.listAll([], signal, from)).map(({ path }) => path));
    const other = (await this.#tree.listAll([], signal, to)).find(({ path }) => !wanted.has(path));
    if (other === undefined) return;
    throw new BackupError(
      "DESTINATION_UNWRITABLE",
      `${this.name}: ${to} is in the way, since it holds ${other.path}; move it somewhere else`,
    );
  }

  async #typeOf(path: Path, signal: AbortSignal): Promise<RsyncEntry["type"] | undefined> {
    checkPath(path);
    return (await this.#orMissing(this.#tree.list([path], signal))).at(0)?.type;
  }

  #entriesOf(moves: readonly Move[], signal: AbortSignal): Promise<readonly RsyncEntry[]> {
    const paths = new Set(moves.flatMap(({ from, to }) => [from, to]));
    return this.#orMissing(this.#tree.list([...paths], signal));
  }

  #warn(count: number): void {
    if (this.#hasWarned || count === 0) return;
    this.#hasWarned = true;
    const message = `${this.name} allows rsync only, which cannot rename: ${count} renamed files are sent again. An account with SFTP renames them in place`;
    this.#options.onEvent?.({ type: "warning", code: "MOVES_ARE_RESENT", message });
  }

  /** A missing destination is an empty one. */
  async #orMissing(work: Promise<readonly RsyncEntry[]>): Promise<readonly RsyncEntry[]> {
    try {
      return await work;
    } catch (error) {
      if (isBackupError(error, "NOT_FOUND")) return [];
      throw error;
    }
  }

  async #changing<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      this.#changedAt = performance.now();
    }
  }
}

function withParents(paths: readonly Path[]): readonly Path[] {
  const all = new Set<Path>();
  for (const path of paths) for (let at = path; at !== ""; at = parentOf(at)) all.add(at);
  return [...all];
}
