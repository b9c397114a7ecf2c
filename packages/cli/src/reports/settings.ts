import { type Hooks, NO_HOOKS } from "../hooks.js";
import type { ReportSettings } from "./reporter.js";

/** What MAIL_TO, PING_URL, METRICS_FILE and their like ask for. @throws BackupError USAGE */
export function reportsFromEnv(_env: NodeJS.ProcessEnv): ReportSettings {
  return {};
}

/** The programs that BACKUP_BEFORE and BACKUP_AFTER name. @throws BackupError USAGE */
export function hooksFromEnv(_env: NodeJS.ProcessEnv): Hooks {
  return NO_HOOKS;
}
