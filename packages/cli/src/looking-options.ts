import { BackupError, type Day, parseDay } from "@backup/core";
import type { DestinationArguments } from "./destinations.js";
import type { ActionOption } from "./types/action-type.js";

/** Options of every command that looks at a backup or takes from it, beside those of its destination. */
export const LOOKING_OPTIONS = {
  snapshot: {
    type: "string",
    requiresArg: true,
    describe: "Of a history, the snapshot of this day, YYYY-MM-DD; default: the newest",
  },
} as const satisfies Record<string, ActionOption>;

export interface LookingArguments extends DestinationArguments {
  readonly snapshot?: string | undefined;
}

/** @throws BackupError USAGE */
export function checkLookingOptions(args: LookingArguments): void {
  dayOf("--snapshot", args.snapshot);
}

/** The day that an option names. @throws BackupError USAGE */
export function dayOf(option: string, text: string | undefined): Day | undefined {
  const day = text === undefined ? undefined : parseDay(text);
  if (text !== undefined && day === undefined)
    throw new BackupError("USAGE", `${option} takes a day as 2026-11-23 or 2026/11/23, not '${text}'`);
  return day;
}
