import { type PluginContext, openPluginContext } from "@backup/core";
import type { ActionContext } from "./action.js";

/** What a plugin gets for these arguments. */
export function contextFor(
  args: object,
  context: ActionContext,
  nameOf?: (option: string) => string,
): PluginContext & AsyncDisposable {
  const { onEvent, signal, debug: trace, secrets: secretsDirectory, env } = context;
  return openPluginContext({ args: { ...args }, nameOf, onEvent, signal, trace, secretsDirectory, env });
}
