import { ACTION_OPTIONS } from "../action-options.js";
import { checkDestinationOptions } from "../destination-options.js";
import { isDry } from "../dry-run.js";
import { checkHistoryOptions } from "../history-options.js";
import { runOne } from "../run-one.js";
import type { ActionType, CommonArguments } from "../types/action-type.js";
import type { Subcommand } from "./subcommand.js";

/** `backup TYPE …`: one action of this type. */
export function actionCommand<Arguments extends CommonArguments>(type: ActionType<Arguments>): Subcommand<Arguments> {
  return {
    ...type,
    options: { ...type.options, ...ACTION_OPTIONS },
    check(args) {
      checkDestinationOptions(args);
      checkHistoryOptions(args);
      type.check(args);
    },
    run(args, context) {
      const dryRun = isDry(args, context.env);
      return runOne(type.create({ ...args, dryRun }), { dryRun }, context);
    },
  };
}
