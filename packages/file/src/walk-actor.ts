import { createHash } from "node:crypto";
import { type FileTree, type RawPath, type TreeEntry, isBackupError } from "@backup/core";
import type { Complaint } from "./copier.js";
import type { Itemized } from "./itemized.js";
import { shown } from "./raw-path.js";
import { secondsOf } from "./seconds.js";
import { Slots } from "./walk-pool.js";
import type { Change } from "./walk-trees.js";

export interface WalkActorOptions {
  readonly from: FileTree;
  readonly to: FileTree;
  /** See Copy.force. */
  readonly force: boolean;
  /** The top keeps the attributes that it has. */
  readonly isTopKept: boolean;
  /** Calls at a time. */
  readonly lanes: number;
  readonly onItem: (item: Itemized) => Promise<void>;
  readonly onComplaint: (complaint: Complaint) => void;
  readonly signal: AbortSignal;
}

/** What an owner needs to work in a directory. */
const OWN = 0o700;

/** Makes a destination what a walk finds that it should be. */
export class WalkActor {
  readonly #options: WalkActorOptions;
  /** Directories whose attributes are set when all in them is done. */
  readonly #touched = new Map<RawPath, TreeEntry>();
  /** Directories that this user may work in, or will when it is done. */
  readonly #open = new Map<RawPath, Promise<unknown>>();

  constructor(options: WalkActorOptions) {
    this.#options = options;
  }

  /** Transfers, makes, and sets attributes. */
  readonly change = async (change: Change): Promise<void> => {
    const { to, onItem, signal } = this.#options;
    const { action, entry, there, isNew, parent, isEqual = false } = change;
    if (isEqual) return onItem(itemOf(change));
    if (entry.type === "dir" && there?.type === "dir") {
      this.#touched.set(entry.path, entry);
      await this.#opened(there);
      return onItem(itemOf(change));
    }
    if (action === "attributes") {
      if (await this.#trying(entry, () => to.setAttributes(entry, signal))) await onItem(itemOf(change));
      return undefined;
    }
    if (parent) {
      this.#touched.set(parent.path, parent);
      // One that differs was opened before anything in it; one that does not is there as it is in the source.
      await this.#opened(parent);
    }
    if (isNew && there && (there.type === "dir") !== (entry.type === "dir") && !(await this.#makeWay(change)))
      return undefined;
    if (entry.type === "dir") {
      this.#touched.set(entry.path, entry);
      this.#open.set(entry.path, Promise.resolve());
      if (await this.#trying(entry, () => to.makeDirectory(entry.path, signal))) await onItem(itemOf(change));
    } else if (entry.type === "link") {
      if (await this.#trying(entry, () => to.writeLink(entry, signal))) await onItem(itemOf(change));
    } else await this.#transfer(change);
    return undefined;
  };

  /** Deletes what was found to be at the destination alone. */
  async remove(changes: readonly Change[]): Promise<void> {
    const { to, signal } = this.#options;
    const closed = new Map<RawPath, TreeEntry>();
    for (const { entry, within } of changes)
      for (const each of [entry, within])
        if (each?.type === "dir" && (each.mode & OWN) !== OWN) closed.set(each.path, each);
    await this.#together([...closed.values()], (each) =>
      this.#trying(each, () => to.setAttributes({ ...each, mode: each.mode | OWN }, signal)),
    );
    const isDirectory = ({ entry }: Change): boolean => entry.type === "dir";
    await this.#together(
      changes.filter((change) => !isDirectory(change)),
      (change) => this.#remove(change),
    );
    for (const level of byDepth(changes.filter(isDirectory), ({ entry }) => entry.path))
      await this.#together(level, (change) => this.#remove(change));
  }

  /** Transfers a file, whatever there is, and says whether it was the same all the time. */
  async #transfer(change: Change): Promise<void> {
    const { from, to, onItem, signal } = this.#options;
    const { entry } = change;
    const { path, size, mtime, mode } = entry;
    let count = 0;
    let hash = createHash("sha256");
    async function* bytes(): AsyncGenerator<Uint8Array> {
      count = 0;
      hash = createHash("sha256");
      for await (const piece of from.read(path, signal)) {
        count += piece.byteLength;
        hash.update(piece);
        yield piece;
      }
    }
    let isUnsteady = false;
    const isDone = await this.#trying(entry, async () => {
      await to.write({ path, mode, mtime, bytes }, signal);
      const after = await from.entry(path, signal);
      isUnsteady = count !== size || after?.size !== size || after.mtime !== mtime;
    });
    if (isDone) await onItem({ ...itemOf(change), isUnsteady, sha256: hash.digest("hex") });
  }

  /** Sets the attributes of directories in which something was done, the inner ones first. */
  async finish(): Promise<void> {
    const { to, isTopKept, signal } = this.#options;
    const touched = [...this.#touched.values()].filter(({ path }) => path !== "" || !isTopKept);
    this.#touched.clear();
    this.#open.clear();
    for (const level of byDepth(touched, ({ path }) => path))
      await this.#together(level, (entry) => this.#trying(entry, () => to.setAttributes(entry, signal)));
  }

  async #remove({ entry, parent, ...rest }: Change): Promise<void> {
    const { to, onItem, signal } = this.#options;
    if (parent) this.#touched.set(parent.path, parent);
    let isGone = false;
    await this.#trying(entry, async () => {
      isGone = await to.remove(entry, signal);
    });
    if (isGone) await onItem(itemOf({ entry, parent, ...rest, action: "delete" }));
  }

  /** A directory in the way goes only with force, or if it is empty; other things go. */
  async #makeWay({ entry, there, parent }: Change): Promise<boolean> {
    const { force, onComplaint } = this.#options;
    if (!there) return true;
    const removed = { action: "delete", isNew: false, there } as const;
    if (there.type !== "dir") {
      await this.#remove({ ...removed, entry: there, parent });
      return true;
    }
    if (force) {
      await this.#removeAll(there);
      return true;
    }
    let isGone = false;
    await this.#trying(entry, async () => {
      isGone = await this.#options.to.remove(there, this.#options.signal);
    });
    if (!isGone) onComplaint({ kind: "in the way", text: `${shown(entry.path)} is in the place of a directory` });
    return isGone;
  }

  async #removeAll(directory: TreeEntry): Promise<void> {
    const { to, signal } = this.#options;
    await this.#opened(directory);
    for (const entry of (await to.entries(directory.path, signal)) ?? [])
      if (entry.type === "dir") await this.#removeAll(entry);
      else await this.#remove({ action: "delete", isNew: false, entry, there: entry, parent: undefined });
    await this.#remove({ action: "delete", isNew: false, entry: directory, there: directory, parent: undefined });
  }

  /** Makes a directory one that its owner may work in. */
  async #opened(directory: TreeEntry): Promise<void> {
    const { to, signal } = this.#options;
    const { path, mode } = directory;
    let opened = this.#open.get(path);
    if (!opened) {
      const isClosed = (mode & OWN) !== OWN && path !== "";
      opened = isClosed
        ? this.#trying(directory, () => to.setAttributes({ ...directory, mode: mode | OWN }, signal))
        : Promise.resolve();
      this.#open.set(path, opened);
    }
    await opened;
  }

  async #together<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
    const slots = new Slots(this.#options.lanes);
    await Promise.all(items.map((item) => slots.run(() => work(item))));
  }

  /** Whether it was done; what costs this entry alone is told. */
  async #trying({ path }: TreeEntry, work: () => Promise<void>): Promise<boolean> {
    const { onComplaint } = this.#options;
    try {
      await work();
      return true;
    } catch (error) {
      const complaint = complaintOf(error, path);
      if (!complaint) throw error;
      onComplaint(complaint);
      return false;
    }
  }
}

/** The deepest first. */
function byDepth<T>(items: readonly T[], pathOf: (item: T) => RawPath): readonly (readonly T[])[] {
  const levels: T[][] = [];
  for (const item of items) {
    const path = pathOf(item);
    (levels[path === "" ? 0 : path.split("/").length] ??= []).push(item);
  }
  return levels.filter((level) => level !== undefined).toReversed();
}

/** Undefined: it is more than this entry that has failed. */
function complaintOf(error: unknown, path: RawPath): Complaint | undefined {
  if (!isBackupError(error)) return undefined;
  const { code, message } = error;
  if (code === "NOT_FOUND") return { kind: "vanished", text: `file vanished: "${shown(path)}"` };
  if (code === "ITEM_UNREADABLE") return { kind: "missing", text: message };
  return code === "DESTINATION_UNWRITABLE" ? { kind: "missing", text: `${shown(path)}: ${message}` } : undefined;
}

/** What is told of a change. */
export function itemOf({ action, isNew, entry }: Change): Itemized {
  const { type, path, size, mtime } = entry;
  return {
    kind: type === "dir" ? "directory" : type,
    action,
    isNew,
    path,
    size: action === "delete" ? 0 : size,
    mtime: secondsOf(mtime),
  };
}
