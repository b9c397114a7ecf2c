import { type Retention, prune } from "@backup/core";
import type { Action } from "../action.js";
import type { DestinationArguments } from "../destinations.js";
import { openDestination } from "../destination.js";

/** The action, which after a complete run removes the snapshots that nothing keeps. */
export function withRetention(action: Action, args: DestinationArguments, retention: Retention): Action {
  return {
    ...action,
    async run(context) {
      const report = await action.run(context);
      if (report.dryRun || report.result !== "done") return report;
      await using store = await openDestination(args, context);
      await prune({ store, retention, signal: context.signal });
      return report;
    },
  };
}
