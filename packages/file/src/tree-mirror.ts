import {
  BackupError,
  CHECKPOINT_FILE,
  type Mirror,
  type MirrorPlace,
  type MirrorPlan,
  type MirrorResult,
  PRIVATE,
  type Path,
  type Store,
  isBackupError,
  within,
} from "@backup/core";
import { applyMirror } from "./apply-mirror.js";
import { applySnapshot } from "./apply-snapshot.js";
import { checkApart, checkApartThere, checkDirectory } from "./check-places.js";
import { type Difference, DifferenceReader } from "./find-difference.js";
import type { Itemized } from "./itemized.js";
import { findMoves, noMoves } from "./find-moves.js";
import { MANIFEST, type Manifest, readManifest } from "./manifest-file.js";
import { rawOf, shown } from "./raw-path.js";
import { heldBefore } from "./totals.js";
import type { Found } from "./transfer-tree.js";
import { type ChooseCopier, chooseCopier } from "./choose-copier.js";
import type { Copier } from "./copier.js";
import type { TreeEnd } from "./tree-end.js";
import type { TreeOptions } from "./tree-options.js";

export interface TreeMirrorOptions extends TreeOptions, Pick<ChooseCopier, "transport" | "onEvent" | "connectedBy"> {
  /** See Mirror.id. */
  readonly id: string;
  /** As it was given. */
  readonly name: string;
  readonly source: TreeEnd;
  /** A file below the source that has to be there: a sign that what is meant is mounted. */
  readonly require?: string | undefined;
}

const NOTHING: MirrorResult = { added: 0, moved: 0, removed: 0, kept: 0, postponed: 0, bytes: 0, failed: 0 };

/** A directory as a mirror: a copier compares and transfers, and what was moved is renamed first. */
export class TreeMirror implements Mirror {
  readonly id: string;
  readonly #options: TreeMirrorOptions;
  /** Chosen when the store is known. */
  #chosen: Copier | undefined;

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
    } else if (!source.isEntriesOnly) {
      const there = await store.reach?.(signal);
      if (there?.shell) await checkApartThere(await source.reach(signal), there, signal);
    }
    const path = required === undefined ? undefined : rawOf(required);
    this.#chosen ??= await chooseCopier(this.#options, { store, path }, signal);
    if (local !== undefined && required === undefined) return;
    if (await this.#copier.has(path, signal)) return;
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
    await this.#copier.begin(place.token, signal);
    const isKnown = !isNew && !place.isInterrupted;
    // While it is compared: at a distance it takes round trips.
    const hasManifest = isKnown && !place.snapshot ? this.#has(MANIFEST, before, signal) : Promise.resolve(false);
    hasManifest.catch(() => {});
    const difference = await this.#difference(before, signal);
    const { totals } = difference;
    const held = heldBefore(totals);
    this.#checkDeletes(before, difference, held);
    // Its manifest is not read then: it may be large, and far away.
    const isNothing = difference.isNone && (await hasManifest);
    const manifest = isKnown && !isNothing ? await this.#manifest(before, signal) : undefined;
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
      isNothing,
      apply: async (given) =>
        isNothing ? NOTHING : this.#apply({ place, difference, manifest, moves, started }, given),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chosen?.[Symbol.asyncDispose]();
    await this.#options.source[Symbol.asyncDispose]();
  }

  get #copier(): Copier {
    if (!this.#chosen) throw new TypeError("a mirror is compared when it was prepared");
    return this.#chosen;
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
    const compare = async (to: Store | undefined): Promise<Difference> => {
      let reader = new DifferenceReader(!place.isNew);
      const onAgain = (): void => {
        reader = new DifferenceReader(!place.isNew);
      };
      const onItem = (item: Itemized): void => reader.take(item);
      const compared = await this.#copier.copy(place.onEvent, { task: "compare", to, onItem, onAgain, signal });
      return reader.result(compared.totals, compared.end === "done");
    };
    try {
      return await compare(place.store);
    } catch (error) {
      // Before a dry run there may be no destination.
      if (
        place.isNew &&
        isBackupError(error) &&
        error.code !== "ABORTED" &&
        error.code !== "TRANSPORT_MISSING" &&
        !(await this.#has(CHECKPOINT_FILE, place, signal))
      )
        return compare(undefined);
      throw error;
    }
  }

  async #has(file: Path, { store }: MirrorPlace, signal: AbortSignal): Promise<boolean> {
    return (await store.list([PRIVATE], signal)).some(({ path }) => path === file);
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
    const { source, name, rsync = [] } = this.#options;
    const check = (): Promise<void> => this.prepare(found.place.store, signal);
    const means = { source, name, copier: this.#copier, isAdjusted: rsync.length > 0, check };
    const { snapshot } = found.place;
    if (!snapshot?.newest) return applyMirror(found, means, signal);
    const beside = { ...snapshot, newest: snapshot.newest };
    if (!this.#copier.clone) return applySnapshot(found, beside, means, signal);
    await this.#copier.clone(beside, signal);
    // What an interrupted run has left is known to nobody.
    return applyMirror(snapshot.isResumed ? { ...found, manifest: undefined } : found, means, signal);
  }
}
