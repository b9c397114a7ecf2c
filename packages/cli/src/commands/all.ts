import { RESTORE_TYPES } from "../restore-types/all.js";
import { ACTION_TYPES } from "../types/all.js";
import { actionCommand } from "./action.js";
import { checkDestinationCommand } from "./check-destination.js";
import { completionCommand } from "./completion.js";
import { configCheckCommand, configExampleCommand, configSchemaCommand } from "./config.js";
import { drillCommand } from "./drill.js";
import { exportCommand } from "./export.js";
import { healthCommand } from "./health.js";
import { loginImapCommand } from "./login-imap.js";
import { lsCommand } from "./ls.js";
import { restoreCommand } from "./restore.js";
import { pruneCommand } from "./prune.js";
import { runCommand } from "./run.js";
import { verifyCommand } from "./verify.js";
import { searchCommand } from "./search.js";
import { showCommand } from "./show.js";
import type { Subcommand } from "./subcommand.js";

/** Every command, in the order in which help lists them. */
export const SUBCOMMANDS: readonly Subcommand[] = [
  ...ACTION_TYPES.map(actionCommand),
  loginImapCommand,
  runCommand,
  lsCommand,
  verifyCommand,
  drillCommand,
  ...RESTORE_TYPES.map(restoreCommand),
  searchCommand,
  showCommand,
  exportCommand,
  pruneCommand,
  configCheckCommand,
  configExampleCommand,
  configSchemaCommand,
  healthCommand,
  checkDestinationCommand,
  completionCommand,
];
