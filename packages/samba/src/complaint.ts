import { BackupError, ProgramExit, isBackupError } from "@backup/core";

/** What is in every message of theirs, or says nothing by itself. */
const NOISE = /^(?:Load smb config files|Loaded services file|Weak crypto is allowed|Error loading services)/;
const TELLING = /error|fail|denied|invalid|unknown|cannot|can't|no such/i;

/** The lines of stderr that say what is wrong, as one; "" where there is none. */
export function complaintOf(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const saying = lines.filter((line) => !NOISE.test(line));
  const telling = saying.filter((line) => TELLING.test(line));
  const chosen = [telling, saying.slice(-1), lines.slice(-1)].find((each) => each.length > 0) ?? [];
  return chosen.slice(0, 3).join("; ").slice(0, 300);
}

/** How a program of Samba's failed, or undefined where it is another error, which is nobody's fault there. */
export function failureOf(error: unknown): { readonly why: string; readonly stderr: string } | undefined {
  if (!isBackupError(error, "PROGRAM_FAILED")) return undefined;
  const exit = error.cause instanceof ProgramExit ? error.cause : undefined;
  const stderr = exit?.stderr ?? "";
  return { stderr, why: complaintOf(stderr) || exit?.message || error.message };
}

/** Something that the backup does without: the run goes on, as a partial one. */
export function missing(message: string, cause?: unknown): BackupError {
  return new BackupError("ITEM_UNREADABLE", message, { cause });
}
