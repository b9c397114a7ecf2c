import type { Plan, WrittenAction } from "./plan.js";
import { type ReadPlanOptions, readPlan } from "./read-plan.js";

interface ReadActionsOptions extends ReadPlanOptions {
  /** Of accounts: as readAccounts. */
  readonly onBad?: ((line: string) => void) | undefined;
}

/** A plan, or a list of accounts (.csv) as one. @throws BackupError as readPlan and readAccounts */
export async function readActions(file: string, options: ReadActionsOptions): Promise<Plan<WrittenAction>> {
  if (!/\.csv$/i.test(file)) return await readPlan(file, options);
  // Loaded when used: it costs start-up time.
  const { readAccounts } = await import("./read-accounts.js");
  return await readAccounts(file, options);
}
