import { type AnyActionPlugin, BackupError, type PluginRegistry } from "@backup/core";
import { type Destinations, destinationsOf } from "../destinations.js";
import type { RestoreType } from "../restore-types/restore-type.js";
import { actionOf } from "./action-of-plugin.js";
import type { ActionType, CommonArguments } from "./action-type.js";
import { toOptions } from "./to-options.js";

/** Every type of action that these plugins bring. */
export function typesOf(plugins: PluginRegistry): readonly ActionType[] {
  const destinations = destinationsOf(plugins);
  return plugins.actions.map((plugin) => typeOfPlugin(plugin, destinations));
}

/** What a plugin says of its type, as commands and plans are made of it. */
export function typeOfPlugin(plugin: AnyActionPlugin, destinations: Destinations): ActionType {
  const { name, summary, positionals, options, commandOptions = {}, rest, examples = [] } = plugin;
  return {
    name,
    summary,
    positionals,
    options: toOptions(options),
    destinations,
    commandOptions: toOptions(commandOptions),
    ...(rest === undefined ? {} : { rest }),
    examples,
    check(args) {
      // What yargs or the plan's schema has read is what the description says.
      plugin.check?.(args as never);
      if (plugin.kind === "mirror") checkMirror(args);
    },
    create: (args) => actionOf(plugin, args),
  };
}

/** @throws BackupError USAGE */
function checkMirror({ hist, keepDeleted, histkeep }: CommonArguments): void {
  if (!hist || !(keepDeleted || histkeep)) return;
  const message =
    "a snapshot of what is mirrored as a whole is what that was on its day, and older ones have what was deleted";
  throw new BackupError("USAGE", `${message}; leave out ${histkeep ? "--histkeep" : "--keep-deleted"}`);
}

/** The same of what its backups are restored to; undefined: to nothing. */
export function restoreTypeOfPlugin({ name, restore }: AnyActionPlugin): RestoreType | undefined {
  if (!restore) return undefined;
  const { summary, positionals, options, examples = [] } = restore;
  return {
    name,
    summary,
    positionals,
    options: toOptions(options),
    examples,
    check: (args) => restore.check?.(args as never),
    open: (args, context) => restore.open(args as never, context),
  };
}
