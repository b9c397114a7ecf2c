import type { EventSink } from "./events.js";
import type { Inventory } from "./inventory.js";
import type { Store } from "./store.js";

/** What is restored, and how it is told. */
export interface RestoreRequest {
  readonly store: Store;
  readonly inventory: Inventory | undefined;
  /** Compare and say; change nothing at the target. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
}

/** Where a backup is brought back to: an account, a directory. Secrets and addresses are its own. */
export interface Target extends AsyncDisposable {
  /**
   * Adds what the backup has and the target has not. Nothing that is there is changed or removed, and nothing is added
   * twice: an interrupted call is finished by another one.
   * @throws BackupError what ended it; whatever else cannot be restored is told by an event, and makes the report partial
   */
  restore(request: RestoreRequest): Promise<RestoreReport>;
}

/** What a restore did; counts are of items. */
export interface RestoreReport {
  /** What a person calls an item; default: message. */
  readonly unit?: "file" | undefined;
  /** `partial`: something of what was asked for is not at the target. */
  readonly result: "done" | "partial";
  readonly dryRun: boolean;
  readonly collections: number;
  /** That the backup has, of what was asked for. */
  readonly items: number;
  /** In a dry run: what would be. */
  readonly restored: number;
  /** Were there before. */
  readonly present: number;
  /** Could not be restored: each was named, or the collection that it is in. */
  readonly failed: number;
  /** Not tried: the target is full. */
  readonly left: number;
  /** Of what was restored. */
  readonly bytes: number;
  readonly seconds: number;
}
