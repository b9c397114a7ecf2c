import { BackupError, type Day, parseDay } from "@backup/core";
import { DESTINATION_OPTIONS, type DestinationArguments, checkDestinationOptions } from "./destination-options.js";
import type { ActionOption } from "./types/action-type.js";

/** Options of every command that looks at a backup or takes from it. */
export const LOOKING_OPTIONS = {
  snapshot: {
    type: "string",
    requiresArg: true,
    describe: "Of a history, the snapshot of this day, YYYY-MM-DD; default: the newest",
  },
  ...DESTINATION_OPTIONS,
} as const satisfies Record<string, ActionOption>;

export interface LookingArguments extends DestinationArguments {
  readonly snapshot?: string | undefined;
}

/** @throws BackupError USAGE */
export function checkLookingOptions(args: LookingArguments): void {
  checkDestinationOptions(args);
  dayOf("--snapshot", args.snapshot);
}

/** The day that an option names. @throws BackupError USAGE */
export function dayOf(option: string, text: string | undefined): Day | undefined {
  const day = text === undefined ? undefined : parseDay(text);
  if (text !== undefined && day === undefined)
    throw new BackupError("USAGE", `${option} takes a day as 2026-11-23 or 2026/11/23, not '${text}'`);
  return day;
}
