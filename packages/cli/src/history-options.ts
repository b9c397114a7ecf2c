import {
  BackupError,
  type BackupOptions,
  type Day,
  type Item,
  type Report,
  backup,
  backupToHistory,
  localDay,
} from "@backup/core";
import { dayOf } from "./looking-options.js";
import type { ActionOption } from "./types/action-type.js";

/** Options of every type of action. */
export const HISTORY_OPTIONS = {
  hist: {
    type: "boolean",
    default: false,
    describe: "Make a snapshot, DEST/YYYY/MM/DD, that shares with the one before what did not change",
  },
  histdate: {
    type: "string",
    requiresArg: true,
    describe: "Day of the snapshot, YYYY-MM-DD or YYYY/MM/DD; default: today, where this machine is",
  },
  histkeep: {
    type: "boolean",
    default: false,
    describe: "Made again on the same day, a snapshot keeps what was deleted at the source since",
  },
} as const satisfies Record<string, ActionOption>;

export interface HistoryArguments {
  readonly hist: boolean;
  readonly histdate?: string | undefined;
  readonly histkeep: boolean;
}

/** @throws BackupError USAGE */
export function checkHistoryOptions({ hist, histdate, histkeep }: HistoryArguments): void {
  dayOf("--histdate", histdate);
  const [name] = [...(histdate === undefined ? [] : ["--histdate"]), ...(histkeep ? ["--histkeep"] : [])];
  if (!hist && name !== undefined)
    throw new BackupError("USAGE", `${name} is for snapshots; add --hist, or leave it out`);
}

/** The day that is asked for, or today. */
export function dayOfSnapshot({ histdate }: Pick<HistoryArguments, "histdate">): Day {
  return dayOf("--histdate", histdate) ?? localDay(new Date());
}

/** Makes a mirror or, where that is asked for, a snapshot. */
export function backUp<I extends Item>(args: HistoryArguments, options: BackupOptions<I>): Promise<Report> {
  if (!args.hist) return backup(options);
  return backupToHistory({ ...options, day: dayOfSnapshot(args), keepDay: args.histkeep });
}
