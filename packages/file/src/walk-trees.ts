import {
  BackupError,
  type FileTree,
  PRIVATE,
  type RawPath,
  type TreeEntry,
  isBackupError,
  throwIfAborted,
} from "@backup/core";
import type { Complaint } from "./copier.js";
import type { Itemized } from "./itemized.js";
import { rawOf, shown, textOf } from "./raw-path.js";
import { type Totals, noTotals } from "./totals.js";
import { type WalkComparison, differenceOf } from "./walk-difference.js";
import { Slots, workThrough } from "./walk-pool.js";
import type { WalkRules } from "./walk-rules.js";

/** One entry that differs. */
export interface Change extends Pick<Itemized, "action" | "isNew"> {
  /** Of the source; what is deleted, of the destination. */
  readonly entry: TreeEntry;
  readonly there: TreeEntry | undefined;
  /** The directory that it is in, where the source has that. */
  readonly parent: TreeEntry | undefined;
  /** What is deleted: the directory that it is in, as the destination has it. */
  readonly within?: TreeEntry | undefined;
  /** Told because all is to be told. */
  readonly isEqual?: boolean;
}

export interface Walk {
  readonly from: FileTree;
  /** Undefined: there is nothing. */
  readonly to: FileTree | undefined;
  readonly rules: WalkRules;
  readonly comparison: WalkComparison;
  /** No directory that has an entry of this name. */
  readonly mark?: string | undefined;
  readonly oneFileSystem: boolean;
  /** Names have to be UTF-8: an end knows no others. */
  readonly isText: boolean;
  /** Only this name at the top, and not the top itself. */
  readonly only?: RawPath | undefined;
  /** What is there stays as it is, but for directories. */
  readonly isOnlyMissing: boolean;
  /** What the destination alone has is told, too. */
  readonly isGoneTold: boolean;
  readonly isAllTold: boolean;
  readonly lanes: number;
  /** Of a directory called before anything in it, of what is gone after all in it. */
  readonly onChange: (change: Change) => Promise<void>;
  readonly onSeen: (entry: TreeEntry) => void;
  /** A directory of the source that is a backup. */
  readonly onBackup: (directory: RawPath) => Promise<void>;
  readonly onComplaint: (complaint: Complaint) => void;
  readonly signal: AbortSignal;
}

/** A directory of the source that is looked at. */
interface Pair {
  readonly source: TreeEntry;
  readonly there: TreeEntry | undefined;
  readonly parent: TreeEntry | undefined;
  /** The directory that `there` is in. */
  readonly within: TreeEntry | undefined;
}

/** Of a file system at its top, which is nobody's. */
const LOST_AND_FOUND = "lost+found";

/** What a name that is no UTF-8 is listed with where names are text: U+FFFD. */
const MANGLED = rawOf("\ufffd");

/** Goes through two trees side by side, and tells how they differ. @throws BackupError NOT_FOUND, and as FileTree */
export async function walkTrees(walk: Walk): Promise<Totals> {
  const { from, to, only, lanes, signal } = walk;
  const top = await from.entry("", signal);
  if (top?.type !== "dir") throw new BackupError("NOT_FOUND", "the source is not there any more; run again");
  const there = await to?.entry("", signal);
  const walker = new Walker(walk, top);
  const pairOfTops: Pair = { source: top, there, parent: undefined, within: undefined };
  if (there && only === undefined) await walker.tell(pairOfTops);
  await workThrough<Pair>(pairOfTops, Math.max(1, lanes / 4), (pair, add) => walker.directory(pair, add));
  return walker.totals;
}

class Walker {
  readonly totals = noTotals();
  readonly #walk: Walk;
  readonly #top: TreeEntry;
  readonly #slots: Slots;

  constructor(walk: Walk, top: TreeEntry) {
    this.#walk = walk;
    this.#top = top;
    this.#slots = new Slots(walk.lanes);
  }

  /** All that is in a directory; of those in it, they themselves when it is their turn. */
  async directory(pair: Pair, add: (pair: Pair) => void): Promise<void> {
    const { from, to, mark, only, rules, oneFileSystem, isGoneTold, signal } = this.#walk;
    throwIfAborted(signal);
    const { path, device } = pair.source;
    const isMount = oneFileSystem && device !== this.#top.device;
    const isThere = pair.there?.type === "dir";
    const wanted = isMount ? [] : await this.#list(from, path);
    const found = isThere && to && !isMount ? await this.#list(to, path) : [];
    // What cannot be seen is left as it is.
    if (!wanted || !found) return;
    if (mark !== undefined && wanted.some((entry) => nameOf(entry) === mark)) return;
    if (wanted.some((entry) => entry.type === "dir" && nameOf(entry) === PRIVATE)) await this.#walk.onBackup(path);
    if (path !== "") await this.tell(pair);
    const others = new Map(found.map((entry) => [entry.path, entry]));
    const files: Pair[] = [];
    const place = { parent: pair.source, within: pair.there };
    for (const source of wanted) {
      const { type } = source;
      const there = others.get(source.path);
      if (only !== undefined && path === "" && source.path !== only) continue;
      if (rules.isLeftOut(source.path, type === "dir") || !this.#isNameable(source)) {
        others.delete(source.path);
        continue;
      }
      this.#walk.onSeen(source);
      // As if the source had none.
      if (type === "other") continue;
      others.delete(source.path);
      if (type === "dir") add({ source, there, ...place });
      else if (this.#isToBeTold(source, there)) files.push({ source, there, ...place });
    }
    await Promise.all(files.map((each) => this.#slots.run(() => this.tell(each))));
    if (!isGoneTold) return;
    for (const there of others.values()) await this.#gone(there, place);
  }

  /** Tells of one entry of the source, unless it is as it should be. */
  async tell({ source, there, parent, within }: Pair): Promise<void> {
    const { comparison, isAllTold, isGoneTold, isOnlyMissing, onChange } = this.#walk;
    if (isOnlyMissing && there && (source.type !== "dir" || there.type !== "dir")) return undefined;
    const isInTheWay = there !== undefined && (there.type === "dir") !== (source.type === "dir");
    if (isInTheWay && isGoneTold) await this.#gone(there, { parent, within });
    const difference = differenceOf(source, there, comparison);
    if (!difference && !isAllTold) return undefined;
    if (!difference)
      return onChange({ action: "attributes", isNew: false, entry: source, there, parent, isEqual: true });
    const { action, isNew } = difference;
    if (source.type === "file" && action === "transfer") {
      this.totals.bytes += source.size;
      if (isNew) this.totals.createdRegular++;
    }
    return onChange({ action, isNew, entry: source, there, parent });
  }

  /** Counts a file or a link. */
  #isToBeTold(source: TreeEntry, there: TreeEntry | undefined): boolean {
    const { rules, comparison, isAllTold } = this.#walk;
    this.totals.files++;
    if (source.type === "file") {
      this.totals.regular++;
      if (rules.isSkipped(source.size)) return false;
    }
    return isAllTold || differenceOf(source, there, comparison) !== undefined;
  }

  /** Tells of what the destination alone has. @returns whether nothing of it is to stay */
  async #gone(there: TreeEntry, { parent, within }: Partial<Pick<Change, "parent" | "within">>): Promise<boolean> {
    const { rules, to, onChange, signal } = this.#walk;
    throwIfAborted(signal);
    if (there.path === LOST_AND_FOUND || rules.isLeftOut(there.path, there.type === "dir")) return false;
    if (this.#isMangled(there.path)) return false;
    if (there.type === "dir" && to) {
      let isAll = true;
      for (const entry of (await this.#list(to, there.path)) ?? [])
        if (!(await this.#gone(entry, { within: there }))) isAll = false;
      if (!isAll) return false;
    } else if (there.type === "file") this.totals.deletedRegular++;
    await onChange({ action: "delete", isNew: false, entry: there, there, parent, within });
    return true;
  }

  /** Undefined: it cannot be listed, which is told. */
  async #list(tree: FileTree, path: RawPath): Promise<readonly TreeEntry[] | undefined> {
    const { signal, onComplaint } = this.#walk;
    try {
      const entries = await tree.entries(path, signal);
      if (entries) return entries;
      if (path === "") throw new BackupError("NOT_FOUND", "the directory is not there any more; run again");
      onComplaint({ kind: "vanished", text: `directory vanished: "${shown(path)}"` });
    } catch (error) {
      if (!isBackupError(error, "ITEM_UNREADABLE") || path === "") throw error;
      onComplaint({ kind: "missing", text: error.message });
    }
    return undefined;
  }

  /** What is not is told: it is missing from the backup. */
  #isNameable({ path, target = "" }: TreeEntry): boolean {
    if (!this.#walk.isText) return true;
    const isText = !this.#isMangled(path) && !target.includes(MANGLED);
    if (isText && textOf(path) !== undefined && (target === "" || isUtf8(target))) return true;
    const text = `${shown(path)} is not copied: its name, or what it points to, is no UTF-8, which SFTP needs here`;
    this.#walk.onComplaint({ kind: "missing", text });
    return false;
  }

  #isMangled(path: RawPath): boolean {
    return this.#walk.isText && path.includes(MANGLED);
  }
}

function nameOf({ path }: TreeEntry): string {
  return Buffer.from(path.slice(path.lastIndexOf("/") + 1), "latin1").toString();
}

function isUtf8(raw: string): boolean {
  const bytes = Buffer.from(raw, "latin1");
  return Buffer.from(bytes.toString()).equals(bytes);
}
