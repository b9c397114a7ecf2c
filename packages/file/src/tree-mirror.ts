import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BackupError,
  type EventSink,
  type Mirror,
  type MirrorPlace,
  type MirrorPlan,
  type MirrorResult,
  type MirrorSnapshot,
  type Path,
  type Reach,
  type SnapshotBefore,
  type Stock,
  type Store,
  isBackupError,
  within,
} from "@backup/core";
import { type RsyncCopied, type RsyncCopy, retryTransient, rsyncCopy, syncReach } from "@backup/transport-rsync";
import { checkApart, checkDirectory } from "./check-places.js";
import { MOVED, applyMoves, linkMoves } from "./apply-moves.js";
import { COMPARE, type Difference, DifferenceReader } from "./find-difference.js";
import { type FoundMoves, findMoves, noMoves } from "./find-moves.js";
import { ITEMIZE, parseItemized } from "./itemized.js";
import { type Manifest, readManifest, writeManifest } from "./manifest-file.js";
import { rawOf, shown, textOf } from "./raw-path.js";
import { TransferReader } from "./transfer-reader.js";
import type { TreeEnd } from "./tree-end.js";
import { ManifestChanges, StockCounter } from "./tree-manifest.js";
import { MarkFile } from "./mark-file.js";
import { type TreeOptions, rsyncOptions, ruleFor } from "./tree-options.js";

export interface TreeMirrorOptions extends TreeOptions {
  /** See Mirror.id. */
  readonly id: string;
  /** As it was given. */
  readonly name: string;
  readonly source: TreeEnd;
  /** A file below the source that has to be there: a sign that what is meant is mounted. */
  readonly require?: string | undefined;
}

/** More than what the comparison found may be deleted by so many, because the source goes on being used. */
const DELETE_SLACK = 100;

/** How often a file is sent that changes while it is. */
const ATTEMPTS = 3;

/** What a run found, and goes by. */
interface Found {
  readonly place: MirrorPlace;
  readonly difference: Difference;
  readonly manifest: Manifest | undefined;
  readonly moves: FoundMoves;
  /** When the run began, milliseconds since 1970. */
  readonly started: number;
  /** Files that vanished at the source. */
  readonly gone: number;
}

interface Copy extends Pick<RsyncCopy, "options" | "files" | "onLine" | "signal"> {
  /** Asked for at every attempt: the connection may have been made anew. */
  readonly to: () => Promise<Reach>;
}

const TEMPORARY = ".backup/tmp";

/** How often a lost connection is made anew in one run of rsync(1). */
const RETRIES = 3;

/** A directory as a mirror: rsync(1) compares and transfers, and what was moved is renamed first. */
export class TreeMirror implements Mirror {
  readonly id: string;
  readonly #options: TreeMirrorOptions;
  /** Of `A` and `X`, what an end does not know. */
  readonly #without = new Set<string>();
  /** What is marked as left out, while a run goes on. */
  #marks: MarkFile | undefined;

  constructor(options: TreeMirrorOptions) {
    this.id = options.id;
    this.#options = options;
  }

  async prepare(store: Store, signal: AbortSignal): Promise<void> {
    const { source, name, require: required } = this.#options;
    const { local } = source;
    if (local !== undefined) {
      await checkDirectory(local, name);
      const there = await store.reach?.(signal);
      if (there && !there.shell) await checkApart(local, there.directory);
      if (required === undefined) return;
    }
    const options = ["--dry-run", "--dirs", "--no-recursive", "--no-implied-dirs"];
    const { end } = await withEmpty((to) =>
      this.#copy(() => {}, { to, options, files: [rawOf(required ?? ".")], onLine: () => {}, signal }),
    );
    if (end === "done") return;
    const message =
      required === undefined
        ? `${name} cannot be read as a directory; check the path, and that the account may read it`
        : `${name} has no ${required}, which --require asks for: is it mounted? Nothing was changed`;
    throw new BackupError(required === undefined ? "NOT_FOUND" : "SOURCE_EMPTY", message);
  }

  async compare(place: MirrorPlace, signal: AbortSignal): Promise<MirrorPlan> {
    const { source, name } = this.#options;
    const { isNew } = place;
    const newest = place.snapshot?.newest;
    /** What the last run left. */
    const store = newest ? within(newest.store, newest.day, { name: place.store.name }) : place.store;
    const before = { ...place, store };
    const started = Date.now();
    await this.#findMarks(signal);
    const difference = await this.#difference(before, signal);
    const { totals } = difference;
    const held = totals.regular - totals.createdRegular + totals.deletedRegular;
    this.#checkDeletes(before, difference, held);
    const manifest = isNew ? undefined : await this.#manifest(before, signal);
    // Where nothing can be renamed, rsync sends it as well as anybody.
    const isMovable = place.store.can.rename !== false;
    const moves = isMovable ? await findMoves({ source, store, difference, manifest }, signal) : noMoves(difference);
    const { gone } = moves;
    return {
      items: totals.files,
      add: difference.add - moves.count - moves.carried,
      bytes: totals.bytes - moves.bytes,
      move: moves.count,
      remove: gone,
      losses: [{ name, held, deleted: gone }],
      apply: (given) => this.#apply({ place, difference, manifest, moves, started, gone }, given),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#marks?.[Symbol.asyncDispose]();
    await this.#options.source[Symbol.asyncDispose]();
  }

  /** Both ends of a run go by what is marked when it begins. */
  async #findMarks(signal: AbortSignal): Promise<void> {
    const { source, excludeIfPresent } = this.#options;
    if (excludeIfPresent === undefined) return;
    const marked = await source.marked(excludeIfPresent, signal);
    await this.#marks?.[Symbol.asyncDispose]();
    this.#marks = await MarkFile.write(marked.map(ruleFor));
  }

  /** @throws BackupError where this would delete what nobody meant */
  #checkDeletes({ store, isNew, allowDeletes, keepDeleted }: MirrorPlace, difference: Difference, held: number): void {
    if (allowDeletes || keepDeleted) return;
    const { name } = this.#options;
    const { totals, gone, goneDirectories } = difference;
    const [first] = [...goneDirectories, ...gone];
    if (isNew && first !== undefined)
      throw new BackupError(
        "DESTINATION_OTHER",
        `${store.name} is no backup, and holds what ${name} does not have (${shown(first)}): name a directory that is ` +
          "empty or new; to delete there what is not in the source, run again with --allow-deletes",
      );
    if (totals.files === 0 && held > 0)
      throw new BackupError(
        "SOURCE_EMPTY",
        `${name} is empty, and ${store.name} holds ${held} files of it: is it mounted? If it is to be empty, run ` +
          "again with --allow-deletes",
      );
  }

  async #difference(place: MirrorPlace, signal: AbortSignal): Promise<Difference> {
    const compare = async (to: () => Promise<Reach>): Promise<Difference> => {
      const reader = new DifferenceReader(!place.isNew);
      await this.#copy(place.onEvent, { to, options: COMPARE, onLine: (line) => reader.line(line), signal });
      return reader.result();
    };
    try {
      return await compare(() => this.#target(place, signal));
    } catch (error) {
      // Before a dry run there may be no destination.
      if (place.isNew && isBackupError(error) && error.code !== "ABORTED" && !(await this.#isThere(place, signal)))
        return withEmpty(compare);
      throw error;
    }
  }

  async #isThere({ store }: MirrorPlace, signal: AbortSignal): Promise<boolean> {
    return (await store.list([".backup"], signal)).length > 0;
  }

  async #manifest({ store, onEvent }: MirrorPlace, signal: AbortSignal): Promise<Manifest | undefined> {
    try {
      return await readManifest(store, signal);
    } catch (error) {
      if (!isBackupError(error, "ITEM_UNREADABLE")) throw error;
      onEvent({ type: "warning", code: error.code, message: `${error.message}; it is made anew` });
      return undefined;
    }
  }

  async #apply(found: Found, signal: AbortSignal): Promise<MirrorResult> {
    const { place, difference, moves, manifest, gone } = found;
    const { onEvent, keepDeleted } = place;
    const none = { added: 0, moved: 0, removed: 0, kept: keepDeleted ? gone : 0, postponed: 0, bytes: 0, failed: 0 };
    const { snapshot } = place;
    if (snapshot?.newest) return await this.#applyBeside(found, { ...snapshot, newest: snapshot.newest }, signal);
    const isUnchanged = keepDeleted ? difference.add === 0 && difference.isNone : difference.isNone;
    if (isUnchanged && manifest && !snapshot) return none;
    const scratch = await makeScratch(place, signal);

    const onSkipped = (reason: string): void => onEvent({ type: "debug", message: `not renamed: ${reason}` });
    const isMoved = await applyMoves(moves, { store: place.store, signal, onSkipped });

    const to = (): Promise<Reach> => this.#target(place, signal);
    const { local } = this.#options.source;
    const here = local ?? (await to()).directory;
    await using changes = await ManifestChanges.open(manifest === undefined);
    const total = { items: difference.add - moves.count - moves.carried, bytes: difference.totals.bytes - moves.bytes };
    const isRebuilding = manifest === undefined && !place.isNew;
    const isSource = local !== undefined;
    const reader = new TransferReader({ changes, here, isSource, isRebuilding, total, onEvent, signal });
    // Without a manifest all is listed, also what is there already.
    const all = isRebuilding ? ["--itemize-changes", "--itemize-changes"] : [];
    // What is in the place of something of another kind has to go at once.
    const transfer = ["--stats", ...ITEMIZE, ...all, ...scratch, ...(keepDeleted ? [] : ["--force"])];
    const onLine = (line: string): Promise<void> => reader.line(line);
    const sent = await this.#copy(onEvent, { to, options: transfer, onLine, signal });
    await this.#settle(place, reader, { to, options: [...ITEMIZE, ...scratch] }, signal);
    await reader.finish();
    let failed = tellComplaints(sent, place, this.#options.name);
    const isPostponed = !keepDeleted && failed > 0;
    const hasLeft = gone > 0 || moves.suspects.length > 0 || !isMoved;
    const left = hasLeft || [...difference.goneDirectories].some((path) => moves.nowAt(path) === path);
    if (!keepDeleted && !isPostponed && left) {
      await syncReach(await to(), signal);
      const deleted = await this.#copy(onEvent, { to, options: deleting(found), onLine, signal });
      failed += tellComplaints(deleted, place, this.#options.name);
    }
    await syncReach(await to(), signal);
    const stock = await this.#writeManifest(found, changes, here, signal);
    await removeScratch(place, signal);
    return {
      ...none,
      added: reader.added,
      moved: moves.count,
      removed: reader.removed + moves.suspects.length,
      postponed: isPostponed ? gone : 0,
      bytes: reader.totals.bytes,
      failed,
      stock,
    };
  }

  /** Makes a snapshot that shares with the newest one what is equal. That one is only read. */
  async #applyBeside(
    found: Found,
    { newest, begun, isResumed }: MirrorSnapshot & { readonly newest: SnapshotBefore },
    signal: AbortSignal,
  ): Promise<MirrorResult> {
    const { place, difference, moves, gone } = found;
    const { onEvent, store } = place;
    const onSkipped = (reason: string): void => onEvent({ type: "debug", message: `not linked: ${reason}` });
    const to = (): Promise<Reach> => this.#target(place, signal);
    const scratch = await makeScratch(place, signal);
    if (isResumed) await this.#unshare(place, to, signal);
    const hasMoved = moves.origins.length + moves.single.length > 0;
    if (hasMoved) await linkMoves(moves, newest, { signal, onSkipped });

    const { local } = this.#options.source;
    const here = local ?? (await to()).directory;
    const isSource = local !== undefined;
    // What was sent by the run that was interrupted is known to nobody.
    const manifest = isResumed ? undefined : found.manifest;
    const isRebuilding = manifest === undefined;
    await using changes = await ManifestChanges.open(isRebuilding);
    const total = { items: difference.add - moves.count - moves.carried, bytes: difference.totals.bytes - moves.bytes };
    const reader = new TransferReader({ changes, here, isSource, isRebuilding, total, onEvent, signal });
    const kept = new Set(
      moves.origins.length + moves.single.length > 0 ? difference.wanted.map(({ path }) => path) : [],
    );
    for (const path of [...difference.gone, ...difference.goneDirectories])
      if (!kept.has(moves.nowAt(path))) changes.remove(moves.nowAt(path));
    const transfer = [
      "--stats",
      ...ITEMIZE,
      ...(isRebuilding ? ["--itemize-changes", "--itemize-changes"] : []),
      ...scratch,
      ...(isResumed ? ["--delete", "--force"] : []),
    ];
    const onLine = (line: string): Promise<void> => reader.line(line);
    const links = [newest.day, ...(hasMoved ? [MOVED] : [])];
    const copy = { to, options: transfer, onLine, signal };
    const sent = await this.#copyBeside(place, { newest, begun }, links, copy);
    await this.#settle(place, reader, { to, options: [...ITEMIZE, ...scratch] }, signal);
    await reader.finish();
    const failed = tellComplaints(sent, place, this.#options.name);
    await syncReach(await to(), signal);
    const stock = await this.#writeManifest({ ...found, manifest }, changes, here, signal);
    if (hasMoved) await newest.store.removeTree(MOVED, signal);
    await removeScratch(place, signal);
    const done = { added: reader.added, moved: moves.count, removed: gone, bytes: reader.totals.bytes, failed, stock };
    onEvent({ type: "debug", message: `${store.name} shares with ${newest.day} what did not change` });
    return { kept: 0, postponed: 0, ...done };
  }

  /**
   * Removes from a snapshot that was begun what differs by attributes alone: it may have another name in a published one,
   * where rsync(1), which gives a file that is there other attributes in its place, would change it too.
   */
  async #unshare(place: MirrorPlace, to: Copy["to"], signal: AbortSignal): Promise<void> {
    const paths: Path[] = [];
    const onLine = (line: string): void => {
      const item = parseItemized(line);
      if (item?.action !== "attributes" || item.kind === "directory") return;
      const path = textOf(item.path);
      if (path === undefined)
        throw new BackupError(
          "UNSAFE_PATH",
          `${place.store.name} was begun by a run that was interrupted, and ${shown(item.path)} there, whose name is no ` +
            "UTF-8, cannot be made anew; delete that directory and run again",
        );
      paths.push(path);
    };
    await this.#copy(place.onEvent, { to, options: ["--dry-run", ...ITEMIZE], onLine, signal });
    await place.store.remove(paths, signal);
  }

  /** Copies, and gives what is equal in these directories of the destination as a whole another name instead. */
  async #copyBeside(
    { onEvent }: MirrorPlace,
    { newest: { store }, begun }: Pick<MirrorSnapshot, "begun"> & { readonly newest: SnapshotBefore },
    links: readonly Path[],
    copy: Copy,
  ): Promise<RsyncCopied> {
    const up = begun.replaceAll(/[^/]+/g, "..");
    const by = (root: string): Copy => {
      const options = links.map((path) => `--link-dest=${`${root}/${path}`.replaceAll(/\/+/g, "/")}`);
      return { ...copy, options: [...copy.options, ...options] };
    };
    try {
      return await this.#copy(onEvent, by(up));
    } catch (error) {
      // rrsync(1) takes paths from the directory that it restricts to, and no `..`.
      if (!isBackupError(error) || !(error.cause instanceof Error) || !error.cause.message.includes("do not use .."))
        throw error;
      const root = await store.reach?.(copy.signal);
      return await this.#copy(onEvent, by(`/${root?.directory ?? ""}`));
    }
  }

  /** Sends again what changed while it was sent. */
  async #settle(
    place: MirrorPlace,
    reader: TransferReader,
    copy: Pick<Copy, "to" | "options">,
    signal: AbortSignal,
  ): Promise<void> {
    let unsteady = reader.takeUnsteady();
    for (let attempt = 1; attempt < ATTEMPTS && unsteady.length > 0; attempt++) {
      const onLine = (line: string): Promise<void> => reader.line(line, true);
      const again = { ...copy, files: unsteady, onLine, signal };
      await this.#copy(place.onEvent, again);
      unsteady = reader.takeUnsteady();
    }
    for (const path of unsteady) {
      const message = `${shown(path)} changed each time that it was read: what is in the backup may be half of two states`;
      place.onEvent({ type: "warning", code: "ITEM_CHANGING", message });
    }
  }

  async #writeManifest(
    { place, manifest, moves, started }: Found,
    changes: ManifestChanges,
    here: string,
    signal: AbortSignal,
  ): Promise<Stock> {
    const counter = new StockCounter();
    const entries = counter.through(changes.entries(manifest, { here, nowAt: moves.nowAt }));
    await writeManifest(place.store, { started, entries }, signal);
    return counter.stock();
  }

  async #target({ store }: MirrorPlace, signal: AbortSignal): Promise<Reach> {
    const reach = await store.reach?.(signal);
    if (reach) return reach;
    const message = `${store.name} cannot be reached by rsync, which copies trees; install rsync there, and leave out --transport sftp`;
    throw new BackupError("TRANSPORT_MISSING", message);
  }

  /** Runs rsync(1), and again what is left to do when the connection was lost. */
  #copy(onEvent: EventSink, copy: Copy): Promise<RsyncCopied> {
    return retryTransient(() => this.#copyOnce(onEvent, copy), { signal: copy.signal, retries: RETRIES });
  }

  async #copyOnce(onEvent: EventSink, copy: Copy): Promise<RsyncCopied> {
    const from = await this.#options.source.reach(copy.signal);
    const to = await copy.to();
    if (from.shell && to.shell)
      throw new BackupError(
        "USAGE",
        "the source and the destination are both on other hosts; one of them has to be here",
      );
    const findings = { without: this.#without, excludeFrom: this.#marks?.path };
    const options = [...rsyncOptions(this.#options, findings), ...copy.options];
    try {
      return await rsyncCopy({ ...copy, from, to, options });
    } catch (error) {
      if (!isBackupError(error)) throw error;
      const letter = unknownAttributes(error);
      if (letter === undefined || this.#without.has(letter)) throw error;
      this.#without.add(letter);
      const what = letter === "A" ? "ACLs" : "extended attributes";
      const message = `one of the two ends knows no ${what}: those are not copied`;
      onEvent({ type: "warning", code: "ATTRIBUTES_LEFT_OUT", message });
      return this.#copyOnce(onEvent, copy);
    }
  }
}

/** Where rsync(1) writes what is not whole yet. The lease has cleared that of a mirror; a snapshot gets one of its own. */
async function makeScratch({ store, snapshot }: MirrorPlace, signal: AbortSignal): Promise<readonly string[]> {
  // An account that is restricted to rsync names it otherwise.
  if (store.can.rename === false) return [];
  if (snapshot) {
    await store.removeTree(TEMPORARY, signal);
    await store.makeDirectories([TEMPORARY], signal);
  }
  return [`--temp-dir=${TEMPORARY}`];
}

/** A snapshot that has its name has none. */
async function removeScratch({ store, snapshot }: MirrorPlace, signal: AbortSignal): Promise<void> {
  if (snapshot) await store.removeTree(TEMPORARY, signal);
}

/**
 * Options of the run that deletes what vanished, and does nothing else: the last one, and only if all that was to come is
 * there. Not more than the comparison found, and a little: the source may have been lost since.
 */
function deleting({ place, difference }: Found): readonly string[] {
  const most = difference.gone.size + difference.goneDirectories.size + DELETE_SLACK;
  const limit = place.allowDeletes ? [] : [`--max-delete=${most}`];
  return ["--delete", "--existing", "--ignore-existing", ...limit, ...ITEMIZE];
}

/** What an rsync(1) that was built without something says of it. */
function unknownAttributes({ cause }: BackupError): string | undefined {
  const said = cause instanceof Error ? cause.message : "";
  if (/ACLs are not supported/i.test(said)) return "A";
  return /(?:extended attributes|xattrs) are not supported/i.test(said) ? "X" : undefined;
}

/** What rsync(1) complained about. @returns how much is missing from the backup */
function tellComplaints({ end, complaints }: RsyncCopied, { onEvent }: MirrorPlace, name: string): number {
  let failed = 0;
  for (const line of complaints) {
    const isVanished = /^(?:file|directory) has vanished: /.test(line);
    if (isVanished) {
      onEvent({ type: "warning", code: "ITEM_VANISHED", message: `while it was copied, ${line.replace(" has", "")}` });
      continue;
    }
    failed++;
    onEvent({ type: "failed", collection: name, code: "ITEM_UNREADABLE", message: line });
  }
  if (end === "limited") {
    failed++;
    const message = `${name} lost more files while the run went on than it had been compared with; they were kept, run again`;
    onEvent({ type: "failed", collection: name, code: "DELETION_LIMIT", message });
  }
  if (end === "partial" && failed === 0) {
    failed++;
    const message = `rsync left something out, and did not say what; run again with DEBUG=1`;
    onEvent({ type: "failed", collection: name, code: "ITEM_UNREADABLE", message });
  }
  return failed;
}

/** Gives work an empty directory here. */
async function withEmpty<T>(work: (to: () => Promise<Reach>) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "backup-empty-"));
  try {
    return await work(async () => ({ directory }));
  } finally {
    await rmdir(directory);
  }
}
