import type { MirrorPlace, Path, Stock } from "@backup/core";
import { tellComplaints } from "./complaints.js";
import type { Copied, Copier, Copy } from "./copier.js";
import type { Difference } from "./find-difference.js";
import type { FoundMoves } from "./find-moves.js";
import type { Itemized } from "./itemized.js";
import type { Look } from "./look.js";
import type { Entry } from "./manifest.js";
import { type Manifest, writeManifest } from "./manifest-file.js";
import { type RawPath, shown } from "./raw-path.js";
import { secondsOf } from "./seconds.js";
import { makeScratch, removeScratch } from "./scratch.js";
import { TransferReader } from "./transfer-reader.js";
import type { TreeEnd } from "./tree-end.js";
import { ManifestChanges, StockCounter } from "./tree-manifest.js";

/** What a run found, and goes by. */
export interface Found {
  readonly place: MirrorPlace;
  readonly difference: Difference;
  /** Undefined: what is at the destination is not known yet. */
  readonly manifest: Manifest | undefined;
  readonly moves: FoundMoves;
  /** When the run began, milliseconds since 1970. */
  readonly started: number;
}

/** What it works with. */
export interface Means {
  readonly source: TreeEnd;
  /** What a person calls it. */
  readonly name: string;
  readonly copier: Copier;
  /** Options that a person gave to rsync(1) may make of an entry something else than it was made before. */
  readonly isAdjusted: boolean;
  /** Whether the source is still there; see Mirror.prepare. */
  readonly check: () => Promise<void>;
}

/** How a transfer may go about it. */
export interface SendOptions {
  /**
   * What is in the place of something of another kind, a directory with all in it, may be removed for that: in a second
   * run, when all else has arrived.
   */
  readonly force?: boolean;
  /** What was begun must not be gone on with. */
  readonly isOnce?: boolean;
  /** See Copy.entries. */
  readonly entries?: readonly RawPath[] | undefined;
}

interface Own {
  readonly look: Look;
  readonly changes: ManifestChanges;
  /** Where at the destination is what is not whole yet. */
  readonly scratch: Path | undefined;
  readonly signal: AbortSignal;
}

/** How often a file is sent that changes while it is. */
const ATTEMPTS = 3;

/** The transfer of a run, and what it leaves for the manifest. */
export class TreeTransfer implements AsyncDisposable {
  readonly reader: TransferReader;
  readonly changes: ManifestChanges;
  readonly #found: Found;
  readonly #means: Means;
  /** The end that is on this machine, or else the destination. */
  readonly #look: Look;
  readonly #scratch: Path | undefined;
  readonly #signal: AbortSignal;

  private constructor(found: Found, means: Means, own: Own) {
    const { place, difference, moves } = found;
    const { look, changes, scratch, signal } = own;
    this.#found = found;
    this.#means = means;
    this.#look = look;
    this.#scratch = scratch;
    this.#signal = signal;
    this.changes = changes;
    this.reader = new TransferReader({
      changes,
      look,
      isSource: means.source.local !== undefined,
      isRebuilding: this.isRebuilding,
      total: { items: difference.add - moves.count - moves.carried, bytes: difference.totals.bytes - moves.bytes },
      onEvent: place.onEvent,
      signal,
    });
  }

  static async open(found: Found, means: Means, signal: AbortSignal): Promise<TreeTransfer> {
    const look = await means.copier.look(found.place.store, signal);
    const scratch = await makeScratch(found.place, signal);
    const changes = await ManifestChanges.open(found.manifest === undefined);
    return new TreeTransfer(found, means, { look, changes, scratch, signal });
  }

  /** Whether all has to be listed for a manifest, also what is there already. */
  get isRebuilding(): boolean {
    return this.#found.manifest === undefined && !this.#found.place.isNew;
  }

  readonly onItem = (item: Itemized): Promise<void> => this.reader.take(item);

  /**
   * Transfers, and again what changed while it was sent; digests what came, and has all on disk.
   * @param run as Copier.copy
   * @returns how much is missing from the backup; each was told
   */
  async send(
    run: (copy: Copy) => Promise<Copied>,
    { force = false, isOnce = false, entries }: SendOptions = {},
  ): Promise<number> {
    const { onItem, changes, isRebuilding: isAllTold } = this;
    const onAgain = (): void => changes.again();
    const copy: Copy = { ...this.#transfer(), isAllTold, onItem, onAgain, isOnce, entries };
    let sent = await run(copy);
    if (force && sent.complaints.length > 0 && sent.complaints.every(({ kind }) => kind === "in the way")) {
      changes.again();
      sent = await run({ ...copy, force });
    }
    const unsettled = isOnce ? 0 : await this.#settle();
    await this.reader.finish();
    await this.#means.copier.finish(this.#found.place.store, this.#signal);
    return this.tell(sent) + unsettled;
  }

  /** What could not be done. @returns how much is missing from the backup */
  tell(copied: Copied): number {
    return tellComplaints(copied, this.#found.place, this.#means.name);
  }

  /** Writes the manifest. @returns what is at the destination now */
  async close(): Promise<Stock> {
    const { place, difference, manifest, moves, started } = this.#found;
    const isCoarse = await this.#means.copier.isCoarse(place.store, this.#signal);
    const counter = new StockCounter();
    const nowAt = (path: RawPath): RawPath | undefined => (moves.isRight(path) ? moves.nowAt(path) : undefined);
    const { newDirectories: directories } = difference;
    const options = { look: this.#look, directories, nowAt, signal: this.#signal };
    const all = this.changes.entries(manifest, options);
    const entries = counter.through(isCoarse ? atSeconds(all) : all);
    await writeManifest(place.store, { started, entries }, this.#signal);
    await removeScratch(place, this.#signal);
    return counter.stock();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.changes[Symbol.asyncDispose]();
  }

  #transfer(): Pick<Copy, "task" | "to" | "scratch" | "signal"> {
    return { task: "transfer", to: this.#found.place.store, scratch: this.#scratch, signal: this.#signal };
  }

  /** Sends again what changed while it was sent. @returns how much is missing */
  async #settle(): Promise<number> {
    const { reader, changes } = this;
    const { onEvent } = this.#found.place;
    const onItem = (item: Itemized): Promise<void> => reader.take(item, true);
    let failed = 0;
    let unsteady = reader.takeUnsteady();
    for (let attempt = 1; attempt < ATTEMPTS && unsteady.length > 0; attempt++) {
      changes.again();
      const again: Copy = { ...this.#transfer(), files: unsteady, onItem };
      failed += this.tell(await this.#means.copier.copy(onEvent, again));
      unsteady = reader.takeUnsteady();
    }
    for (const path of unsteady) {
      const message = `${shown(path)} changed each time that it was read: what is in the backup may be half of two states`;
      onEvent({ type: "warning", code: "ITEM_CHANGING", message });
    }
    return failed;
  }
}

async function* atSeconds(entries: AsyncIterable<Entry>): AsyncGenerator<Entry> {
  for await (const entry of entries) yield { ...entry, mtime: BigInt(secondsOf(entry.mtime)) * 1_000_000_000n };
}
