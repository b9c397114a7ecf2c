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
  type Path,
  type Place,
  type Store,
  type Stored,
  checkPath,
  isBackupError,
  readAhead,
  throwIfAborted,
} from "@backup/core";
import { type Spool, remotePut, takeRemoteLease } from "@backup/transport-rsync/sending";
import { type Facts, NO_FACTS } from "./facts.js";
import { LANES, inLanes } from "./lanes.js";
import { makeDirectories, withParents } from "./make-directories.js";
import { isMarker, markerOf } from "./marker.js";
import { moveGroups } from "./move-groups.js";
import { RCLONE_LEASE_TIMING, rcloneLeaseFile } from "./rclone-lease.js";
import { type RcloneSender, TEMPORARY, rcloneSender } from "./rclone-sender.js";
import { remoteDigests } from "./remote-digests.js";
import type { RemoteDirectory } from "./remote-directory.js";
import { childOf, walk } from "./walk.js";

export interface RcloneStoreOptions {
  readonly remote: RemoteDirectory;
  /** Not the store's: the caller disposes of it. */
  readonly spool: Spool;
  readonly onEvent: EventSink;
  readonly timing?: LeaseTiming | undefined;
}

const RELEASE_MS = 30_000;

/**
 * A directory at a remote of rclone(1). What it can differs by remote: where nothing is renamed it is copied there and the
 * other removed, and where there are no empty directories a small file stands for each.
 */
export class RcloneStore implements Store {
  readonly name: string;
  readonly #remote: RemoteDirectory;
  readonly #options: RcloneStoreOptions;
  readonly #sender: RcloneSender;
  #facts: Facts = NO_FACTS;
  #colon = true;
  #hasWarned = false;

  constructor(options: RcloneStoreOptions) {
    this.name = options.remote.name;
    this.#options = options;
    this.#remote = options.remote;
    this.#sender = rcloneSender(options);
  }

  get can(): Store["can"] {
    const { moves, copies, times } = this.#facts;
    return { colon: this.#colon, rename: moves || copies, times, clone: copies };
  }

  /** Finds out what the remote can; to be called before anything else. @throws BackupError AUTH_FAILED, CONNECTION_LOST */
  async connect(signal: AbortSignal): Promise<void> {
    this.#facts = await this.#remote.facts(signal);
  }

  async lease(signal: AbortSignal): Promise<Lease> {
    throwIfAborted(signal);
    await this.#remote.makeDirectory("", signal);
    await this.makeDirectories([TEMPORARY], signal);
    const timing = this.#options.timing ?? RCLONE_LEASE_TIMING;
    const means = { remote: this.#remote, sender: this.#sender, expiryMs: timing.expiryMs };
    const lease = await takeRemoteLease((until) => rcloneLeaseFile({ ...means, until }), {
      where: this.name,
      timing,
      releaseMs: RELEASE_MS,
      signal,
    });
    try {
      await this.#clear(signal);
      this.#colon = await this.#holdsColon(signal);
      return lease;
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  async directories(leaves: readonly string[], signal: AbortSignal, at: Path = ""): Promise<readonly Directory[]> {
    throwIfAborted(signal);
    if (at !== "") checkPath(at);
    return walk(this.#remote, { at, leaves }, signal);
  }

  async subdirectories(directories: readonly Path[], signal: AbortSignal): Promise<readonly Path[]> {
    throwIfAborted(signal);
    for (const path of directories) if (path !== "") checkPath(path);
    const found: Path[] = [];
    await inLanes(new Set(directories), async (path) => {
      for (const { name, isDirectory } of (await this.#remote.entries(path, signal)) ?? [])
        if (isDirectory && !name.startsWith(".")) found.push(childOf(path, name));
    });
    return found;
  }

  async list(directories: readonly Path[], signal: AbortSignal): Promise<readonly Stored[]> {
    throwIfAborted(signal);
    for (const path of directories) checkPath(path);
    const found: Stored[] = [];
    await inLanes(new Set(directories), async (path) => {
      for (const { name, isDirectory, size, mtime } of (await this.#remote.entries(path, signal, { times: true })) ??
        [])
        if (!isDirectory && !isMarker(name)) found.push({ path: childOf(path, name), size, mtime });
    });
    return found;
  }

  async read(path: Path, signal: AbortSignal): Promise<Uint8Array> {
    throwIfAborted(signal);
    checkPath(path);
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#remote.read(path, signal)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async *contents(files: readonly Stored[], signal: AbortSignal): AsyncGenerator<FileContent> {
    for (const { path } of files) checkPath(path);
    yield* readAhead(files, { read: (path) => this.read(path, signal), lanes: LANES, signal });
  }

  async heads(paths: readonly Path[], bytes: number, signal: AbortSignal): Promise<ReadonlyMap<Path, Uint8Array>> {
    throwIfAborted(signal);
    for (const path of paths) checkPath(path);
    const found = new Map<Path, Uint8Array>();
    await inLanes(new Set(paths), async (path) => {
      const pieces: Uint8Array[] = [];
      try {
        for await (const piece of this.#remote.read(path, signal, bytes)) pieces.push(piece);
        found.set(path, Buffer.concat(pieces).subarray(0, bytes));
      } catch (error) {
        if (!isBackupError(error, "NOT_FOUND")) throw error;
      }
    });
    return found;
  }

  async *digests(paths: readonly Path[], signal: AbortSignal): AsyncGenerator<Digested> {
    for (const path of paths) checkPath(path);
    yield* remoteDigests(this.#remote, paths, signal);
  }

  async makeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (const path of paths) checkPath(path);
    await makeDirectories(paths, { remote: this.#remote, sender: this.#sender, signal });
  }

  async move(moves: readonly Move[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (const { from, to } of moves) {
      checkPath(from);
      checkPath(to);
    }
    this.#warnOfResending(moves.length);
    for (const group of moveGroups(moves)) {
      throwIfAborted(signal);
      await inLanes(group, async ({ from, to }) => {
        try {
          await this.#remote.move(from, to, signal);
        } catch (error) {
          // It may have been moved before.
          if (!isBackupError(error, "NOT_FOUND") || (await this.#remote.typeOf(to, signal)) !== "file") throw error;
        }
      });
    }
  }

  /** None: no remote has two names for one file. */
  async link(links: readonly Move[]): Promise<readonly boolean[]> {
    return links.map(({ from, to }) => {
      checkPath(from);
      checkPath(to);
      return false;
    });
  }

  async *put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Outcome<I>[]> {
    const link = this.#facts.copies && !this.#facts.partial ? { link: this.#copyAll.bind(this) } : {};
    yield* remotePut(bodies, { place, signal, sender: this.#sender, spool: this.#options.spool, ...link });
  }

  async write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#sender.send([{ path, mtime: Date.now(), size: bytes.byteLength, content: bytes }], signal);
  }

  async remove(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (const path of paths) checkPath(path);
    await inLanes(new Set(paths), (path) => this.#remote.remove(path, signal));
  }

  async removeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    for (const path of paths) checkPath(path);
    const all = withParents(paths);
    const depthOf = (path: Path): number => path.split("/").length;
    const depths = [...new Set(all.map(depthOf))].toSorted((a, b) => b - a);
    for (const depth of depths)
      await inLanes(
        all.filter((path) => depthOf(path) === depth),
        (path) => this.#removeIfEmpty(path, signal),
      );
  }

  async clone(from: Path, to: Path, signal: AbortSignal): Promise<Cloned> {
    throwIfAborted(signal);
    checkPath(from);
    checkPath(to);
    if (!this.#facts.copies)
      throw new BackupError(
        "TRANSPORT_MISSING",
        `${this.name} copies nothing by itself, which a snapshot needs: there is no history at this remote; leave --hist out`,
      );
    if ((await this.#remote.typeOf(from, signal)) !== "directory") throw this.#remote.notFound(from);
    await this.#remote.removeTree(to, signal);
    await this.#remote.transferTree("copy", { from, to }, signal);
    return { copied: await this.#countFiles(to, signal) };
  }

  async moveTree(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    checkPath(from);
    checkPath(to);
    if ((await this.#remote.typeOf(from, signal)) !== "directory") {
      if ((await this.#remote.typeOf(to, signal)) === "directory") return;
      throw this.#remote.notFound(from);
    }
    // What an interrupted call has moved stays where it is, and the rest follows.
    await this.#remote.transferTree("move", { from, to }, signal);
  }

  async removeTree(path: Path, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    checkPath(path);
    await this.#remote.removeTree(path, signal);
  }

  async describe(signal: AbortSignal): Promise<Description> {
    throwIfAborted(signal);
    return {
      transport: await this.#sender.describe(signal),
      rename: this.#facts.moves || this.#facts.copies,
      link: false,
      fsync: false,
      colon: this.#colon,
      freeBytes: await this.#remote.freeBytes(signal),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing open between calls.
  }

  /** Copies made there, of what is there: not where it is gone. */
  async #copyAll(links: readonly Move[], signal: AbortSignal): Promise<readonly boolean[]> {
    const made = links.map(() => false);
    await inLanes(links.entries(), async ([index, { from, to }]) => {
      try {
        await this.#remote.copy(from, to, signal);
        made[index] = true;
      } catch (error) {
        if (!isBackupError(error, "NOT_FOUND")) throw error;
      }
    });
    return made;
  }

  async #removeIfEmpty(path: Path, signal: AbortSignal): Promise<void> {
    const entries = await this.#remote.entries(path, signal);
    if (!entries || entries.some(({ name }) => !isMarker(name))) return;
    if (entries.length > 0) await this.#remote.remove(markerOf(path), signal);
    if (this.#facts.emptyDirectories) await this.#remote.removeDirectory(path, signal);
  }

  async #countFiles(at: Path, signal: AbortSignal): Promise<number> {
    let files = 0;
    for (let level: readonly Path[] = [at]; level.length > 0; ) {
      const next: Path[] = [];
      await inLanes(level, async (path) => {
        for (const { name, isDirectory } of (await this.#remote.entries(path, signal)) ?? [])
          if (isDirectory) next.push(childOf(path, name));
          else if (!isMarker(name)) files++;
      });
      level = next;
    }
    return files;
  }

  /** Removes what an interrupted run was about to send. */
  async #clear(signal: AbortSignal): Promise<void> {
    const left = (await this.#remote.entries(TEMPORARY, signal)) ?? [];
    await inLanes(
      left.filter(({ name, isDirectory }) => !isDirectory && !isMarker(name)),
      ({ name }) => this.#remote.remove(childOf(TEMPORARY, name), signal),
    );
  }

  async #holdsColon(signal: AbortSignal): Promise<boolean> {
    const name = "probe:colon";
    const path = childOf(TEMPORARY, name);
    try {
      await this.#sender.write(path, new Uint8Array(), signal);
    } catch (error) {
      // What refuses a name is no reason to end; what refuses all names shows in the next request.
      if (isBackupError(error) && !error.transient && !signal.aborted) return false;
      throw error;
    }
    const entries = (await this.#remote.entries(TEMPORARY, signal)) ?? [];
    const isHeld = entries.some((entry) => entry.name === name);
    await this.#remote.remove(path, signal);
    return isHeld;
  }

  #warnOfResending(count: number): void {
    if (this.#hasWarned || count === 0 || this.#facts.moves || this.#facts.copies) return;
    this.#hasWarned = true;
    const message = `${this.name} cannot rename or copy what it has: ${count} renamed files are sent again`;
    this.#options.onEvent({ type: "warning", code: "MOVES_ARE_RESENT", message });
  }
}
