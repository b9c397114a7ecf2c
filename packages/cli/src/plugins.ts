import { PluginRegistry } from "@backup/core";

/** Every type of data that this program knows. Loaded when used: each costs start-up time. */
export const plugins = new PluginRegistry({
  file: async () => (await import("@backup/file")).filePlugin,
  imap: async () => (await import("@backup/imap")).imapPlugin,
});
