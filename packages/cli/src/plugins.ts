import { type LoadedPlugin, PluginRegistry } from "@backup/core";
import { filePlugin } from "@backup/file/plugin";
import { imapPlugin } from "@backup/imap/plugin";

/** The plugins that come along, in the order in which help lists them. Each loads what does its work when it is used. */
const BUILT_IN: readonly LoadedPlugin[] = [{ plugin: imapPlugin }, { plugin: filePlugin }];

/** Those alone. */
export function builtInPlugins(): PluginRegistry {
  return new PluginRegistry(BUILT_IN);
}
