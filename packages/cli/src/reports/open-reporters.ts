import type { ActionContext } from "../action.js";
import type { ReportSettings, Reporter } from "./reporter.js";

/** A reporter for each way of reporting that is asked for. @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE */
export async function openReporters(
  _settings: ReportSettings,
  _context: Pick<ActionContext, "env" | "secrets" | "onEvent">,
): Promise<readonly Reporter[]> {
  return [];
}
