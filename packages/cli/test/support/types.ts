import { filePlugin } from "@backup/file/plugin";
import { imapPlugin } from "@backup/imap/plugin";
import { subcommands } from "../../src/commands/all.js";
import { destinationsOf } from "../../src/destinations.js";
import { pluginsWith } from "../../src/plugins/built-in.js";
import { typeOfPlugin, typesOf } from "../../src/types/type-of-plugin.js";

// What comes along, for tests that need no plugin of others.

export const PLUGINS = pluginsWith([]);
export const SUBCOMMANDS = subcommands(PLUGINS);
export const ACTION_TYPES = typesOf(PLUGINS);
export const imapType = typeOfPlugin(imapPlugin, destinationsOf(PLUGINS));
export const fileType = typeOfPlugin(filePlugin, destinationsOf(PLUGINS));
