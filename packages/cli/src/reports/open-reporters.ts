import type { ActionContext } from "../action.js";
import type { ReportSettings, Reporter } from "./reporter.js";

/** A reporter for each way of reporting that is asked for. @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE */
export async function openReporters(
  { mail, ping, metrics }: ReportSettings,
  context: Pick<ActionContext, "secrets" | "onEvent">,
): Promise<readonly Reporter[]> {
  const reporters: Reporter[] = [];
  // Loaded when used: their libraries cost start-up time.
  if (mail) reporters.push(await (await import("./mail.js")).openMail(mail, context));
  if (ping) reporters.push((await import("./ping.js")).openPing(ping));
  if (metrics !== undefined) reporters.push((await import("./metrics.js")).openMetrics(metrics, context.onEvent));
  return reporters;
}
