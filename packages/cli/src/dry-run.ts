import { BackupError } from "@backup/core";

const YES = ["1", "yes", "true", "on"];
const NO = ["", "0", "no", "false", "off"];

/**
 * Whether nothing may be written: asked for by an option, or by DRY_RUN=1.
 * @throws BackupError USAGE for a value that may mean either: a run that writes is not what was asked for
 */
export function isDry({ dryRun }: { readonly dryRun: boolean }, { DRY_RUN: value = "" }: NodeJS.ProcessEnv): boolean {
  const word = value.toLowerCase();
  if (YES.includes(word)) return true;
  if (NO.includes(word)) return dryRun;
  throw new BackupError("USAGE", `DRY_RUN takes 1 (write nothing) or 0, and '${value}' is neither`);
}
