import type { PluginRegistry } from "@backup/core";
import { type Destinations, destinationsOf } from "../destinations.js";
import { restoreTypeOfPlugin, typeOfPlugin } from "../types/type-of-plugin.js";
import { actionCommand } from "./action.js";
import { checkDestinationCommand } from "./check-destination.js";
import { completionCommand } from "./completion.js";
import { configCheckCommand, configExampleCommand, configSchemaCommand } from "./config.js";
import { drillCommand } from "./drill.js";
import { exportCommand } from "./export.js";
import { fleetForgetCommand, fleetRetryCommand } from "./fleet-change.js";
import { fleetDashboardCommand } from "./fleet-dashboard.js";
import { fleetEnqueueCommand } from "./fleet-enqueue.js";
import { fleetStatusCommand } from "./fleet-status.js";
import { fleetWorkerCommand } from "./fleet-worker.js";
import { healthCommand } from "./health.js";
import { loginCommand } from "./login.js";
import { lsCommand } from "./ls.js";
import { pluginsCommand } from "./plugins.js";
import { restoreCommand } from "./restore.js";
import { pruneCommand } from "./prune.js";
import { runCommand } from "./run.js";
import { verifyCommand } from "./verify.js";
import { searchCommand } from "./search.js";
import { showCommand } from "./show.js";
import type { Subcommand } from "./subcommand.js";

/** Every command, in the order in which help lists them. */
export function subcommands(plugins: PluginRegistry): readonly Subcommand[] {
  const destinations = destinationsOf(plugins);
  return commandsOf(plugins, destinations).map((command) => atDestination(command, destinations));
}

/** With what is said of DEST, if the command has one. */
function atDestination(command: Subcommand, { options, check }: Destinations): Subcommand {
  if (!command.positionals.some(({ name }) => name === "dest")) return command;
  return {
    ...command,
    options: { ...command.options, ...options },
    check(args) {
      check(args);
      command.check?.(args);
    },
  };
}

function commandsOf(plugins: PluginRegistry, destinations: Destinations): readonly Subcommand[] {
  const { actions } = plugins;
  return [
    ...actions.map((plugin) => actionCommand(typeOfPlugin(plugin, destinations))),
    ...actions.flatMap(({ name, login }) => (login ? [loginCommand(name, login)] : [])),
    runCommand,
    lsCommand,
    verifyCommand(plugins),
    drillCommand(plugins),
    ...actions.flatMap((plugin) => restoreTypeOfPlugin(plugin) ?? []).map((type) => restoreCommand(type)),
    searchCommand,
    showCommand,
    exportCommand,
    pruneCommand,
    fleetEnqueueCommand,
    fleetWorkerCommand,
    fleetStatusCommand,
    fleetRetryCommand,
    fleetForgetCommand,
    fleetDashboardCommand,
    configCheckCommand,
    configExampleCommand,
    configSchemaCommand,
    healthCommand,
    checkDestinationCommand,
    completionCommand,
    pluginsCommand,
  ];
}
