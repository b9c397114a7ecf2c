import { BackupError } from "@backup/core";
import { ACTION_OPTIONS } from "../action-options.js";
import { isDry } from "../dry-run.js";
import { checkHistoryOptions } from "../history-options.js";
import { runOne } from "../run-one.js";
import type { ActionType, CommonArguments } from "../types/action-type.js";
import type { Subcommand } from "./subcommand.js";

/** `backup TYPE …`: one action of this type. */
export function actionCommand<Arguments extends CommonArguments>(type: ActionType<Arguments>): Subcommand<Arguments> {
  return {
    ...type,
    options: { ...type.options, ...type.commandOptions, ...ACTION_OPTIONS },
    check(args) {
      checkHistoryOptions(args);
      type.check(args);
    },
    async run(args, context) {
      const dryRun = isDry(args, context.env);
      const action = type.create({ ...args, dryRun });
      const { changes } = action;
      if (!changes) return await runOne(action, { dryRun }, context);
      if (dryRun)
        throw new BackupError("USAGE", "--watch goes on for ever, and a dry run is over at once; leave out one");
      // Loaded when used: it costs start-up time.
      const { watchAction } = await import("../watch-action.js");
      return await watchAction({ ...action, changes }, context);
    },
  };
}
