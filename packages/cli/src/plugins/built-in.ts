import { type LoadedPlugin, PluginRegistry, localStorePlugin } from "@backup/core";
import { filePlugin } from "@backup/file/plugin";
import { imapPlugin } from "@backup/imap/plugin";
import { mysqlPlugin } from "@backup/mysql/plugin";
import { rcloneSourcePlugin, rcloneStorePlugin } from "@backup/rclone/plugin";
import { sambaPlugin } from "@backup/samba/plugin";
import { sshStorePlugin } from "@backup/transport-rsync/plugin";
import { mailPlugin } from "../reports/mail-plugin.js";
import { metricsPlugin } from "../reports/metrics-plugin.js";
import { pingPlugin } from "../reports/ping-plugin.js";

/** The plugins that come along, in the order in which help lists them. Each loads what does its work when it is used. */
const BUILT_IN: readonly LoadedPlugin[] = [
  { plugin: imapPlugin },
  { plugin: filePlugin },
  { plugin: sambaPlugin },
  { plugin: mysqlPlugin },
  { plugin: rcloneSourcePlugin },
  // Before that for hosts, for which rclone:… is a host's name.
  { plugin: rcloneStorePlugin },
  { plugin: sshStorePlugin },
  // It takes whatever the others do not.
  { plugin: localStorePlugin },
  { plugin: mailPlugin },
  { plugin: pingPlugin },
  { plugin: metricsPlugin },
];

/** Those that come along, and these after them. @throws BackupError PLUGIN_INVALID, PLUGIN_UNKNOWN */
export function pluginsWith(named: readonly LoadedPlugin[]): PluginRegistry {
  return new PluginRegistry([...BUILT_IN, ...named]);
}
