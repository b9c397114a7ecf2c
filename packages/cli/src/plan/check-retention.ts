import { isBackupError } from "@backup/core";
import { type RetentionFields, toRetention } from "../retention-options.js";
import type { ActionFields, PlanFile } from "./plan-file.js";
import type { Problem } from "./problem.js";
import type { PlanSource } from "./source.js";

interface Retained {
  readonly plan: PlanFile;
  readonly fields: ActionFields;
  readonly index: number;
  /** Whether the action makes snapshots. */
  readonly hist: boolean;
}

/** What an action keeps: its own, or that of all for one that makes snapshots. */
export function retentionOf({ plan, fields, hist }: Omit<Retained, "index">): RetentionFields | undefined {
  return fields.retention ?? (hist ? plan.defaults?.retention : undefined);
}

/** What is wrong with it; the numbers themselves are the schema's. */
export function retentionProblems(source: PlanSource, retained: Retained): readonly Problem[] {
  const { fields, index, hist } = retained;
  const retention = retentionOf(retained);
  if (retention === undefined) return [];
  const path = fields.retention ? ["actions", index, "retention"] : ["defaults", "retention"];
  const problem = (text: string): readonly Problem[] => [{ position: source.position(path, "value"), text }];
  if (!hist) return problem("retention is for snapshots; add hist: true");
  try {
    toRetention(retention);
    return [];
  } catch (error) {
    if (!isBackupError(error, "USAGE")) throw error;
    return problem(`retention: ${error.message.replaceAll(/--(?=[a-z])/g, "")}`);
  }
}
