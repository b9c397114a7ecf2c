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
  type FileTree,
  type FileTreeOptions,
  type Item,
  LEASE_FILE,
  LEASE_TIMING,
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
  ahead,
  digestOf,
  isBackupError,
  parentOf,
  readAhead,
  throwIfAborted,
} from "@backup/core";
import type { Host } from "./connection.js";
import { takeRemoteLease } from "./remote-lease.js";
import { remotePut } from "./remote-put.js";
import type { Sums } from "./remote-sums.js";
import type { RemoteTrees } from "./remote-trees.js";
import type { Sender } from "./sender.js";
import { STATUS, unless } from "./sftp-calls.js";
import { SftpChannel } from "./sftp-channel.js";
import { clearLeftovers, removeTree } from "./sftp-clear.js";
import { cloneTree } from "./sftp-clone.js";
import { SftpDestination, TEMPORARY } from "./sftp-destination.js";
import { digestsBySftp } from "./sftp-digests.js";
import { directorySync } from "./sftp-directory.js";
import { factsOf } from "./sftp-facts.js";
import { MANY, writeFiles } from "./sftp-files.js";
import { inFlight } from "./sftp-in-flight.js";
import { sftpLeaseFile } from "./sftp-lease-file.js";
import { linkFiles } from "./sftp-link.js";
import { directoriesIn, directoriesOf, filesIn } from "./sftp-list.js";
import { makeDirectories, makeRoot, missingDirectories, removeDirectories } from "./sftp-make.js";
import { MoveQueue } from "./sftp-move.js";
import { readHeads, readWhole } from "./sftp-read.js";
import { folderOf } from "./sftp-root.js";
import { sftpSender } from "./sftp-sender.js";
import { SftpTree } from "./sftp-tree.js";
import { SftpUpload } from "./sftp-upload.js";
import type { Spool } from "./spool.js";

export interface SftpStoreOptions {
  /** What a person calls it. */
  readonly name: string;
  readonly host: Host;
  /** On the host: absolute, or relative to home; empty or `~` is home itself. */
  readonly directory: string;
  /** How bodies are sent; asked once, when there is something to send. Default: by SFTP. */
  readonly sender?: ((own: SftpDestination, signal: AbortSignal) => Promise<Sender>) | undefined;
  /** How files are digested at the host; what it leaves out is read back. Default: all is. */
  readonly sums?: Sums | undefined;
  /** Holds what is on its way; whoever made it disposes of it. */
  readonly spool: Spool;
  /** See Store.reach. Default: programs cannot. */
  readonly reach?: ((signal: AbortSignal) => Promise<Reach | undefined>) | undefined;
  /** Default: file by file, over SFTP. */
  readonly trees?: RemoteTrees | undefined;
  readonly onEvent?: EventSink | undefined;
  readonly timing?: LeaseTiming | undefined;
  /** See SftpChannelOptions. */
  readonly timeoutMs?: number | undefined;
  readonly retryMs?: number | undefined;
}

/** Version 3 gives times in whole seconds: a change within the same one would leave a stamp as it was. */
const STAMP_MS = 1100;

/** Files that the host digests in one go, and how often at the same time. */
const DIGESTED = 1024;
const DIGEST_LANES = 2;

/**
 * How long it may take to give the lease back, milliseconds; what is left of it expires by itself. Short: a run that is
 * told to stop while the host is silent ends within two seconds.
 */
const RELEASE_MS = 700;

/** A directory of another machine as a store, over SFTP. Nothing is made before `lease` is taken. */
export class SftpStore implements Store {
  readonly name: string;
  readonly #options: SftpStoreOptions;
  readonly #channel: SftpChannel;
  readonly #destination: SftpDestination;
  /** Made when a tree is asked for. */
  #files: SftpChannel | undefined;
  #colon = true;
  #sender: Sender | undefined;

  constructor(options: SftpStoreOptions) {
    const { name, host, directory, onEvent = () => {}, timeoutMs, retryMs } = options;
    this.name = name;
    this.#options = options;
    this.#channel = new SftpChannel({ host, compress: true, onEvent, timeoutMs, retryMs });
    this.#destination = new SftpDestination(this.#channel, { name, directory, onEvent });
  }

  get can(): { readonly colon: boolean } {
    return { colon: this.#colon };
  }

  async lease(signal: AbortSignal): Promise<Lease> {
    const { root } = this.#destination;
    const timing = this.#options.timing ?? LEASE_TIMING;
    const file = root.at(LEASE_FILE);
    const paths = [TEMPORARY];
    const changed = new Set<string>();
    await this.#destination.run(async (sftp) => {
      const missing = await missingDirectories(sftp, this.#destination, paths);
      if (missing.includes(PRIVATE)) await makeRoot(sftp, root.path);
      if (missing.length > 0) await makeDirectories(sftp, this.#destination, { paths, changed, signal });
    }, signal);
    const lease = await takeRemoteLease(
      (until) => sftpLeaseFile(file, (task) => this.#destination.run(task, until())),
      { where: this.name, timing, releaseMs: RELEASE_MS, signal },
    );
    try {
      const { expiryMs } = timing;
      const { colon } = await this.#destination.run(
        (sftp) => clearLeftovers(sftp, { temporary: root.at(TEMPORARY), lease: file, expiryMs }),
        signal,
      );
      this.#colon = colon;
      return lease;
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  async directories(leaves: readonly string[], signal: AbortSignal, at: Path = ""): Promise<readonly Directory[]> {
    throwIfAborted(signal);
    const wait = STAMP_MS - this.#destination.quietMs;
    if (wait > 0)
      await sleep(wait, undefined, { signal }).catch((error: unknown) => {
        throwIfAborted(signal);
        throw error;
      });
    const { root } = this.#destination;
    return this.#destination.run((sftp) => directoriesOf(sftp, root, { leaves, at, signal }), signal);
  }

  async subdirectories(directories: readonly Path[], signal: AbortSignal): Promise<readonly Path[]> {
    const { root } = this.#destination;
    return this.#destination.run((sftp) => directoriesIn(sftp, root, { directories, signal }), signal);
  }

  async list(directories: readonly Path[], signal: AbortSignal): Promise<readonly Stored[]> {
    const { root } = this.#destination;
    for (const path of directories) root.at(path);
    return this.#destination.run((sftp) => filesIn(sftp, root, { directories, signal }), signal);
  }

  async read(path: Path, signal: AbortSignal): Promise<Uint8Array> {
    const at = this.#destination.root.at(path);
    const bytes = await this.#destination.run((sftp) => readWhole(sftp, at), signal);
    if (!bytes) throw new BackupError("NOT_FOUND", `${this.name} has no ${path}`);
    return bytes;
  }

  contents(files: readonly Stored[], signal: AbortSignal): AsyncGenerator<FileContent> {
    return readAhead(files, { read: (path) => this.read(path, signal), lanes: MANY, signal });
  }

  async heads(paths: readonly Path[], bytes: number, signal: AbortSignal): Promise<ReadonlyMap<Path, Uint8Array>> {
    const files = paths.map((path) => ({ path, at: this.#destination.root.at(path) }));
    return this.#destination.run((sftp) => readHeads(sftp, files, { bytes, signal }), signal);
  }

  async *digests(paths: readonly Path[], signal: AbortSignal): AsyncGenerator<Digested> {
    const files = paths.map((path) => ({ path, at: this.#destination.root.at(path) }));
    const batches = Array.from({ length: Math.ceil(files.length / DIGESTED) }, (_, n) =>
      files.slice(n * DIGESTED, (n + 1) * DIGESTED),
    );
    const digested = ahead(batches, DIGEST_LANES, (batch) => this.#digest(batch, signal));
    for await (const { result } of digested) yield* result;
  }

  async link(links: readonly Move[], signal: AbortSignal): Promise<readonly boolean[]> {
    for (const { from, to } of links) for (const path of [from, to]) this.#destination.root.at(path);
    return links.length > 0 ? await linkFiles(this.#destination, links, signal) : [];
  }

  async makeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    const { root } = this.#destination;
    for (const path of paths) root.at(path);
    const changed = new Set<string>();
    await this.#destination.run(async (sftp) => {
      if (await makeDirectories(sftp, this.#destination, { paths, changed, signal })) this.#destination.changed();
    }, signal);
  }

  async move(moves: readonly Move[], signal: AbortSignal): Promise<void> {
    const { root } = this.#destination;
    const remote = moves.map(({ from, to }) => ({ from: root.at(from), to: root.at(to) }));
    const queue = new MoveQueue(remote, this.name);
    await this.#destination.change((sftp) => queue.run(sftp, signal), signal);
  }

  async *put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Outcome<I>[]> {
    const destination = this.#destination;
    const sender = await this.#askSender(signal);
    yield* remotePut(bodies, {
      place,
      signal,
      sender: {
        ...sender,
        // Whatever sends: its changes count for the stamps.
        send: (files, until, onSent) => sender.send(files, until, onSent).finally(() => destination.changed()),
      },
      spool: this.#options.spool,
      link: (links, until) => linkFiles(destination, links, until),
      upload: async (until) => new SftpUpload(destination, until),
    });
  }

  async write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const destination = this.#destination;
    const file = { path: destination.root.at(path), content: bytes };
    const attempt = { where: this.name, root: destination.root.path, bytes: bytes.byteLength };
    const temporaryName = (): string => destination.temporaryName();
    await destination.run((sftp) => writeFiles(sftp, [file], { temporaryName, attempt, signal }), signal);
    // What is in there has no stamp.
    if (!`/${parentOf(path)}`.endsWith(`/${PRIVATE}`)) destination.changed();
  }

  async remove(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    const remote = paths.map((path) => this.#destination.root.at(path));
    await this.#destination.change(async (sftp) => {
      await inFlight(remote, { limit: MANY, signal }, (path) => unless([STATUS.NO_SUCH_FILE], sftp.unlink(path)));
      await directorySync(sftp, new Set(remote.map(folderOf))).finish();
    }, signal);
  }

  async removeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    const { root } = this.#destination;
    for (const path of paths) root.at(path);
    await this.#destination.change((sftp) => removeDirectories(sftp, root, { paths, signal }), signal);
  }

  async clone(from: Path, to: Path, signal: AbortSignal): Promise<Cloned> {
    const destination = this.#destination;
    const paths = { from: destination.root.at(from), to: destination.root.at(to) };
    if (await this.#atOnce((trees) => trees.clone(paths.from, paths.to, signal), signal)) return { copied: 0 };
    return destination.change((sftp) => cloneTree(sftp, { destination, ...paths, signal }), signal);
  }

  moveTree(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    return this.move([{ from, to }], signal);
  }

  async removeTree(path: Path, signal: AbortSignal): Promise<void> {
    const at = this.#destination.root.at(path);
    if (await this.#atOnce((trees) => trees.remove(at, signal), signal)) return;
    await this.#destination.change(async (sftp) => {
      await removeTree(sftp, at);
      await directorySync(sftp, new Set([folderOf(at)])).finish();
    }, signal);
  }

  async reach(signal: AbortSignal): Promise<Reach | undefined> {
    const reach = await this.#options.reach?.(signal);
    // Whoever asks is about to change something.
    this.#destination.changed();
    return reach;
  }

  async tree(at: Path, { scratch }: FileTreeOptions): Promise<FileTree> {
    const { host, onEvent, timeoutMs, retryMs } = this.#options;
    // Files are in the way of listings and renames, and compress badly.
    this.#files ??= new SftpChannel({ host, compress: false, onEvent, timeoutMs, retryMs });
    const { root } = this.#destination;
    return new SftpTree({
      channel: this.#files,
      name: this.name,
      directory: at === "" ? root.path : root.at(at),
      scratch,
    });
  }

  async describe(signal: AbortSignal): Promise<Description> {
    const sender = await this.#askSender(signal);
    const { host } = this.#options;
    const facts = await this.#destination.run((sftp) => factsOf(sftp, this.#destination), signal);
    return { transport: `${await sender.describe(signal)}, by ${host.by}`, colon: this.#colon, ...facts };
  }

  /** Connects, unless it has. @throws BackupError as Host.connect; TRANSPORT_MISSING where the account has no SFTP */
  async connect(signal: AbortSignal): Promise<void> {
    await this.#destination.run(async () => {}, signal);
  }

  /** Renames complete files to their places. A symbolic link in the place of a directory is refused, as for `put`. */
  async publish(moves: readonly Move[], signal: AbortSignal): Promise<void> {
    const parents = new Set(moves.map(({ to }) => parentOf(to)));
    await this.#destination.run((sftp) => missingDirectories(sftp, this.#destination, parents), signal);
    await this.move(moves, signal);
  }

  /** Removes a directory among the temporary files, with what is left in it. */
  async clear(path: Path, signal: AbortSignal): Promise<void> {
    const at = this.#destination.root.at(path);
    await this.#destination.run((sftp) => removeTree(sftp, at), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files?.[Symbol.asyncDispose]();
    await this.#channel[Symbol.asyncDispose]();
  }

  async #digest(
    files: readonly { readonly path: Path; readonly at: string }[],
    signal: AbortSignal,
  ): Promise<readonly Digested[]> {
    const names = files.map(({ at }) => at);
    const sums = (await this.#options.sums?.(names, signal)) ?? new Map<string, Buffer>();
    const digested: Digested[] = [];
    const rest: (typeof files)[number][] = [];
    for (const file of files) {
      const sum = sums.get(file.at);
      if (sum) digested.push({ path: file.path, digest: digestOf(sum) });
      else rest.push(file);
    }
    if (rest.length === 0) return digested;
    return digested.concat(await this.#destination.run((sftp) => digestsBySftp(sftp, rest, signal), signal));
  }

  /** Whether the host itself did it; where it could not, SFTP does it anew and says what is wrong. */
  async #atOnce(work: (trees: RemoteTrees) => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
    const { trees } = this.#options;
    if (!trees) return false;
    try {
      return await work(trees);
    } catch (error) {
      throwIfAborted(signal);
      if (isBackupError(error)) return false;
      throw error;
    } finally {
      this.#destination.changed();
    }
  }

  async #askSender(signal: AbortSignal): Promise<Sender> {
    this.#sender ??=
      (await this.#options.sender?.(this.#destination, signal)) ?? sftpSender({ few: this.#destination, many: [] });
    return this.#sender;
  }
}
