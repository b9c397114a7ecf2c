import type { CollectionFiles, Looked } from "./backup-files.js";
import { BackupError } from "./errors.js";
import type { EventSink } from "./events.js";
import { sampleFiles } from "./sample.js";
import type { Store } from "./store.js";

/** What is brought back in a drill, and how it is told. */
export interface DrillRequest {
  readonly store: Store;
  /** Collections with those of their files that are brought back, and all of their sidecars. */
  readonly sample: readonly CollectionFiles[];
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
}

/** What became of it. */
export interface Returned {
  /** Items that came back as the backup has them; each other one was told as `failed`. */
  readonly good: number;
  /** Something of the drill is still there, which was told as a `warning`. */
  readonly isLeft: boolean;
}

/**
 * Restores to a place that it makes for that, reads back from there, compares, and removes the place, whatever happened.
 * @throws BackupError what ended it
 */
export type DrillPlace = (request: DrillRequest) => Promise<Returned>;

export interface DrillOptions extends Looked {
  readonly place: DrillPlace;
  /** Items to bring back. */
  readonly count: number;
  readonly onEvent: EventSink;
}

export interface DrillReport extends Returned {
  /** That were brought back. */
  readonly items: number;
  /** Of those. */
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * Brings random items of a backup back to a throwaway place, to see whether that works. The source is not asked.
 * @throws BackupError NOT_FOUND where there is nothing to bring back; what ended it
 */
export async function drill({ place, count, onEvent, ...looked }: DrillOptions): Promise<DrillReport> {
  const { store, signal } = looked;
  const started = performance.now();
  const sample = await sampleFiles(looked, count);
  const sizes = sample.flatMap(({ known }) =>
    known.filter(({ identity }) => !identity.sidecar).map(({ file }) => file.size),
  );
  if (sizes.length === 0)
    throw new BackupError(
      "NOT_FOUND",
      `the backup at ${store.name} is empty: nothing was brought back, and nothing is proven; backup ls ${store.name} says what the last run found`,
    );
  const returned = await place({ store, sample, signal, onEvent });
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return { items: sizes.length, ...returned, bytes, seconds: (performance.now() - started) / 1000 };
}
