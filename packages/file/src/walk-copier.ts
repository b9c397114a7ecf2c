import { BackupError, type EventSink, type FileTree, type RawPath, type Store } from "@backup/core";
import type { Beside } from "./apply-snapshot.js";
import { cloneByWalking } from "./clone-by-walking.js";
import type { Copied, Copier, Copy } from "./copier.js";
import { type Look, lookByTree, lookHere } from "./look.js";
import { OwnDestination } from "./own-destination.js";
import { TEMPORARY } from "./scratch.js";
import type { TreeEnd } from "./tree-end.js";
import type { TreeOptions } from "./tree-options.js";
import { type WalkRules, walkRules } from "./walk-rules.js";
import { runWalk } from "./walk-run.js";

export interface WalkCopierOptions extends TreeOptions {
  readonly source: TreeEnd;
}

/** Copies a tree entry by entry, where rsync(1) is missing at an end: by SFTP, or from here to here. */
export class WalkCopier implements Copier {
  readonly #options: WalkCopierOptions;
  readonly #rules: WalkRules;
  /** Of what a store holds; each knows what is not durable yet. */
  readonly #trees = new Map<Store, FileTree>();
  /** Known with the lease. */
  #own: OwnDestination | undefined;
  #isShared = false;
  #isTold = false;

  constructor(options: WalkCopierOptions) {
    this.#options = options;
    this.#rules = walkRules(options);
  }

  /** What is marked is seen on the way, and so is a destination that is in the source. */
  async begin(token: string | undefined, signal: AbortSignal): Promise<void> {
    if (token === undefined) return;
    this.#own = new OwnDestination(this.#options.source, token);
    await this.#own.checkAround(signal);
  }

  async has(path: RawPath | undefined, signal: AbortSignal): Promise<boolean> {
    const entry = await this.#options.source.tree().entry(path ?? "", signal);
    return path === undefined ? entry?.type === "dir" : entry !== undefined;
  }

  async copy(onEvent: EventSink, { to: store, ...copy }: Copy): Promise<Copied> {
    const { source, inet = false, oneFileSystem = false, excludeIfPresent: mark } = this.#options;
    const onUncarried = (message: string): void => {
      if (!this.#isTold) onEvent({ type: "warning", code: "ATTRIBUTES_LEFT_OUT", message });
      this.#isTold = true;
    };
    const to = store && (await this.#treeOf(store, copy.signal));
    const from = source.tree();
    const onBackup = async (directory: RawPath): Promise<void> => this.#own?.checkInside(directory, copy.signal);
    const options = { mark, oneFileSystem, sizeOnly: inet, isOnlyMissing: false, isKept: false, onUncarried, onBackup };
    return runWalk({ ...copy, ...options, from, to, rules: this.#rules, isShared: this.#isShared });
  }

  async clone(snapshot: Beside, signal: AbortSignal): Promise<void> {
    // What has other attributes is made anew: the snapshot has the same file.
    this.#isShared = true;
    await cloneByWalking(snapshot, signal);
  }

  async isCoarse(store: Store, signal: AbortSignal): Promise<boolean> {
    return (await (await this.#treeOf(store, signal)).facts(signal)).wholeSeconds;
  }

  async look(store: Store, signal: AbortSignal): Promise<Look> {
    const { local } = this.#options.source;
    return local === undefined ? lookByTree(await this.#treeOf(store, signal)) : lookHere(local, "source");
  }

  async finish(store: Store, signal: AbortSignal): Promise<void> {
    await (await this.#treeOf(store, signal)).finish(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The ends are their owners'.
  }

  async #treeOf(store: Store, signal: AbortSignal): Promise<FileTree> {
    const known = this.#trees.get(store);
    if (known) return known;
    const tree = await treeOf(store, signal);
    this.#trees.set(store, tree);
    return tree;
  }
}

/** What a store holds, entry by entry. @throws BackupError TRANSPORT_MISSING */
async function treeOf(store: Store, signal: AbortSignal): Promise<FileTree> {
  const tree = await store.tree?.("", { scratch: TEMPORARY }, signal);
  if (tree) return tree;
  const message = `${store.name} has no SFTP, and rsync is missing at the other end, or --transport sftp was given`;
  throw new BackupError("TRANSPORT_MISSING", message);
}
