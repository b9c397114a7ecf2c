import type { Damage } from "./damage.js";
import type { Report } from "./report.js";
import type { RestoreReport } from "./restore.js";

/**
 * What a run says while it goes on, one plain object each, in the order in which it happens.
 * None holds a secret. `--json` prints them as they are.
 */
export type BackupEvent =
  | {
      readonly type: "start";
      readonly source: string;
      readonly destination: string;
      readonly dryRun: boolean;
      /** As in Report. */
      readonly unit?: "file" | undefined;
    }
  /** The run may write to its destination from now on, beside no other; `fence` as in Lease. */
  | { readonly type: "lease"; readonly destination: string; readonly fence: number }
  /** A collection was compared; `state` says how much that took. */
  | {
      readonly type: "collection";
      readonly name: string;
      readonly state: "unchanged" | "compared" | "vanished";
      /** Items that the source holds. */
      readonly items: number;
      readonly added: number;
      readonly moved: number;
      readonly renamed: number;
      readonly removed: number;
    }
  /** All is compared; this is what the run will do. */
  | {
      readonly type: "plan";
      readonly collections: number;
      readonly add: number;
      /** Bytes to transfer, as the source announces them. */
      readonly bytes: number;
      readonly move: number;
      readonly rename: number;
      readonly remove: number;
      /** As in Report. */
      readonly unit?: "file" | undefined;
    }
  /** Totals so far of what is durably stored. */
  | {
      readonly type: "progress";
      readonly items: number;
      readonly bytes: number;
      readonly totalItems: number;
      readonly totalBytes: number;
    }
  /** Bytes of the batch that is on its way to another host: not durable yet, and not part of `progress`. */
  | { readonly type: "sending"; readonly bytes: number; readonly totalBytes: number }
  /** How files reach another host; once, before the first one is sent. */
  | {
      readonly type: "transport";
      readonly host: string;
      readonly transport: "rsync" | "sftp";
      /** For a person: why this one. */
      readonly message: string;
    }
  | { readonly type: "warning"; readonly code: string; readonly message: string }
  /** Something is missing from the backup; the run goes on and ends as partial. */
  | {
      readonly type: "failed";
      readonly collection: string;
      readonly item?: string;
      readonly code: string;
      readonly message: string;
    }
  /** Something at a destination is not as it should be: `backup verify`. */
  | ({ readonly type: "damage" } & Damage)
  /** A collection of a backup was compared with the target of a restore. */
  | {
      readonly type: "restoring";
      readonly name: string;
      /** What it is called there. */
      readonly target: string;
      readonly items: number;
      readonly present: number;
      /** To be restored. */
      readonly missing: number;
    }
  /** All is compared; this is what a restore will do. */
  | {
      readonly type: "restore-plan";
      readonly collections: number;
      readonly items: number;
      readonly present: number;
      readonly missing: number;
      /** Of what is missing. */
      readonly bytes: number;
      /** As in Report. */
      readonly unit?: "file" | undefined;
    }
  | { readonly type: "restored"; readonly report: RestoreReport }
  /** For DEBUG: what the layers below do. */
  | { readonly type: "debug"; readonly message: string }
  | { readonly type: "end"; readonly report: Report };

export type EventSink = (event: BackupEvent) => void;
