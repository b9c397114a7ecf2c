import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandContext } from "./commands/subcommand.js";
import { JOURNAL } from "./journal.js";

export interface ScriptEnvironment {
  readonly journal: string;
  readonly dryRun: boolean;
}

/** Of this package; holds `backup` as a program for the PATH. */
const BIN = fileURLToPath(new URL("../bin", import.meta.url));

/** What a shell takes where no PATH is set. */
const PATH = "/usr/local/bin:/usr/bin:/bin";

/** The environment of a script: the caller's, where `backup` is this program and knows what was asked for. */
export function scriptEnvironment(
  { journal, dryRun }: ScriptEnvironment,
  { env, json, quiet, verbose }: Pick<CommandContext, "env" | "json" | "quiet" | "verbose">,
): NodeJS.ProcessEnv {
  const output = json ? "json" : quiet ? "quiet" : verbose ? "verbose" : undefined;
  return {
    ...env,
    [JOURNAL]: journal,
    // Last, for a script in JavaScript where there is no other Node.js.
    PATH: [BIN, env.PATH || PATH, dirname(process.execPath)].join(delimiter),
    BACKUP_NODE: process.execPath,
    ...(dryRun ? { DRY_RUN: "1" } : {}),
    ...(output === undefined ? {} : { BACKUP_OUTPUT: output }),
  };
}
