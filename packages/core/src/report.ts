/** What a run did; all counts are of items, sidecars left out. */
export interface Report {
  /** What a person calls an item; default: message. */
  readonly unit?: "file" | undefined;
  /**
   * `partial`: something is missing from the backup. Nothing was removed, unless it was only after that that files of
   * ours turned out to be missing.
   */
  readonly result: "done" | "partial";
  readonly dryRun: boolean;
  readonly collections: number;
  /** Collections that were skipped because nothing had changed. */
  readonly unchanged: number;
  /** Items that the source holds. */
  readonly items: number;
  readonly added: number;
  /** Items that were moved or copied at the source, and here without a transfer. */
  readonly moved: number;
  /** Files renamed in their collection: changed flags. */
  readonly renamed: number;
  readonly removed: number;
  /** Vanished at the source and kept because that was asked for. */
  readonly kept: number;
  /** Vanished at the source and still here because the run was partial. */
  readonly postponed: number;
  /** Bytes stored. */
  readonly bytes: number;
  readonly failed: number;
  readonly seconds: number;
}
