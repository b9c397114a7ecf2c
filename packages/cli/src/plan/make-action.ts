import type { Retention } from "@backup/core";
import type { Action } from "../action.js";
import type { DestinationArguments } from "../destinations.js";
import type { ActionType } from "../types/action-type.js";
import type { ActionArguments } from "./action-arguments.js";
import { openSecretFiles } from "./secret-files.js";
import { withRetention } from "./with-retention.js";

/** The action; secrets of variables and commands are looked for each time it runs. */
export function makeAction(
  type: ActionType<never>,
  { args, secrets }: ActionArguments,
  retention: Retention | undefined,
): Action {
  const create = (given: Readonly<Record<string, unknown>>): Action => {
    // The schema and the type's own check have seen what these are.
    const action = type.create(given as never);
    return retention ? withRetention(action, given as unknown as DestinationArguments, retention) : action;
  };
  const action = create(args);
  if (Object.keys(secrets).length === 0) return action;
  return {
    ...action,
    // Which file the secret is in is known when it runs.
    problems: undefined,
    async run(context) {
      await using opened = await openSecretFiles(secrets, context);
      const complete = create({ ...args, ...opened.files });
      return await complete.run(context);
    },
  };
}
