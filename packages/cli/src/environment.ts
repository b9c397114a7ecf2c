import type { NotifierPlugin, PluginRegistry } from "@backup/core";
import { variableOf } from "./reports/notifier-arguments.js";

export interface EnvironmentVariable {
  readonly name: string;
  readonly text: string;
}

/** Every environment variable that a person may set; the manual page lists them in this order. */
export function environmentOf({ notifiers }: PluginRegistry): readonly EnvironmentVariable[] {
  return [
    {
      name: "BACKUP_DIR",
      text: "Directory with secrets, known_hosts, and the script or plan that is run without a name. Default: /backup.",
    },
    { name: "DEBUG", text: "1 prints everything that is said to and by servers, without secrets." },
    { name: "DRY_RUN", text: "1 makes every action a dry run: it says what would be done and writes nothing." },
    { name: "BACKUP_BEFORE", text: "Program that runs before the actions. If it fails, nothing is backed up." },
    {
      name: "BACKUP_AFTER",
      text: "Program that runs after the actions. It gets the result as JSON on its standard input, and in BACKUP_RESULT as ok, partial, failed or interrupted.",
    },
    ...notifiers.flatMap(variablesOf),
    {
      name: "BACKUP_HEALTH_FILE",
      text: "File in which backup run --watch and backup imap --watch say that they are alive, for backup health.",
    },
    { name: "BACKUP_QUEUE", text: "Where the queue of backup fleet is, as its --queue." },
    { name: "SHELL", text: "What backup completion is for, if it is not told." },
  ];
}

/** Variables by which a script's run speaks to the commands in it; nobody else sets them. */
export const INTERNAL_ENVIRONMENT = ["BACKUP_JOURNAL", "BACKUP_OUTPUT", "BACKUP_NODE"] as const;

/** What a notifier's options say, each by its variable. */
function variablesOf(plugin: NotifierPlugin): readonly EnvironmentVariable[] {
  return Object.entries(plugin.options).map(([option, { type, array, choices, describe }]) => {
    const values = choices?.join(" or ") ?? (type === "boolean" ? "1 or 0" : undefined);
    const text = `${values === undefined ? "" : `${values}: `}${describe}${array ? "; several with commas between them" : ""}.`;
    return { name: variableOf(plugin, option), text };
  });
}
