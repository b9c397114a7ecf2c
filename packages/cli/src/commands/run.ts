import { access } from "node:fs/promises";
import { join } from "node:path";
import { BackupError, systemCode } from "@backup/core";
import { isDry } from "../dry-run.js";
import { JOURNAL } from "../journal.js";
import { whoever } from "../script-interpreter.js";
import { scriptMissing } from "../script-missing.js";
import type { Subcommand } from "./subcommand.js";

export interface RunArguments {
  readonly file?: string | undefined;
  readonly watch: boolean;
  readonly shard?: string | undefined;
  readonly dryRun: boolean;
}

/** Longer than the actions, the reports and the processes of a script need after a signal, and shorter than the ten seconds of `docker stop`. */
const TO_END_MS = 9000;
/** Inside of another script: less than what that one has. */
const INNER_TO_END_MS = 4000;

export const runCommand: Subcommand<RunArguments> = {
  name: "run",
  summary: "run many actions: a script, or a plan file",
  positionals: [
    {
      name: "file",
      isOptional: true,
      describe: "Script, plan (.yaml, .yml), or accounts (.csv); default /backup/backup, then /backup/plan.yaml",
    },
  ],
  options: {
    watch: { type: "boolean", default: false, describe: "Go on for ever: run each action of a plan by its schedule" },
    shard: {
      type: "string",
      requiresArg: true,
      describe: "Only the actions of part I of N, counted from 0, as 0/4: for N machines that run the same plan",
    },
    "dry-run": {
      type: "boolean",
      default: false,
      describe: "Say what would be done; write nothing. DRY_RUN=1 does the same",
    },
  },
  examples: [
    ["backup run /etc/backup/nightly", "a script with many actions; each is listed OK or KO at the end"],
    ["backup run plan.yaml", "every action of a plan, some at a time"],
    ["backup run --watch plan.yaml", "each action of a plan when its schedule says so"],
    ["backup run accounts.csv --shard 2/8", "the third of eight parts of many accounts"],
  ],
  async run(args, context) {
    context.allowToEnd(context.env[JOURNAL] === undefined ? TO_END_MS : INNER_TO_END_MS);
    const file = args.file ?? (await defaultFile(context.secrets));
    const dryRun = isDry(args, context.env);
    // Loaded when used: they cost start-up time.
    if (/\.(?:ya?ml|csv)$/i.test(file)) {
      const { runPlan } = await import("../run-plan.js");
      return runPlan({ file, dryRun, watch: args.watch, shard: args.shard }, context);
    }
    if (args.shard !== undefined)
      throw new BackupError(
        "USAGE",
        `--shard takes a part of a plan (.yaml) or of accounts (.csv), and ${file} is a script`,
      );
    if (args.watch)
      throw new BackupError(
        "USAGE",
        `--watch runs a plan (.yaml) by its schedules, and ${file} is a script; start that from cron`,
      );
    const { runScript } = await import("../run-script.js");
    return runScript({ file, dryRun }, context);
  },
};

async function defaultFile(directory: string): Promise<string> {
  for (const name of ["backup", "plan.yaml"]) if (await isThere(join(directory, name))) return join(directory, name);
  const [script, plan] = [join(directory, "backup"), join(directory, "plan.yaml")];
  throw scriptMissing(`there is nothing to run: no script ${script} and no plan ${plan}`, directory);
}

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    const code = systemCode(error) ?? "unknown error";
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw new BackupError(
      "SCRIPT_FAILED",
      `${file} cannot be reached (${code}) by ${whoever()}; let that user into its directory`,
      {
        cause: error,
      },
    );
  }
}
