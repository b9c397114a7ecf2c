import type { Action } from "../action.js";
import type { ActionType } from "../types/action-type.js";
import type { ActionArguments } from "./action-arguments.js";
import { openSecretFiles } from "./secret-files.js";

/** The action; secrets of variables and commands are looked for each time it runs. */
export function makeAction(type: ActionType<never>, { args, secrets }: ActionArguments): Action {
  // The schema and the type's own check have seen what these are.
  const action = type.create(args as never);
  if (Object.keys(secrets).length === 0) return action;
  return {
    ...action,
    // Which file the secret is in is known when it runs.
    problems: undefined,
    async run(context) {
      await using opened = await openSecretFiles(secrets, context);
      const complete = type.create({ ...args, ...opened.files } as never);
      return await complete.run(context);
    },
  };
}
