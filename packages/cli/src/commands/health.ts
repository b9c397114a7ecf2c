import { BackupError } from "@backup/core";
import { EXIT } from "../exit-code.js";
import { HEALTH_FILE, illness, readHealth } from "../health.js";
import { jsonLine, printable } from "../render/text.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export const healthCommand: Subcommand<object> = {
  name: "health",
  summary: "say whether `backup run --watch` is alive and well: exit status 0 or 1",
  positionals: [],
  options: {},
  examples: [[`${HEALTH_FILE}=/run/backup/health.json backup health`, "of the watch that has the same variable"]],
  run: (_args, context) => tellHealth(context),
};

async function tellHealth({ env, json, quiet }: CommandContext): Promise<number> {
  const file = env[HEALTH_FILE];
  if (!file) {
    const message = `backup health asks the file that ${HEALTH_FILE} names, which is not set; set it to the same file for the watch and for this`;
    throw new BackupError("USAGE", message);
  }
  const health = await readHealth(file);
  const problem = health && illness(health, Date.now());
  // One that runs what it was given and ends is as healthy as its process.
  const message = problem ?? (health ? "alive and well" : "not in watch mode");
  if (json) process.stdout.write(jsonLine({ type: "health", healthy: problem === undefined, message, ...health }));
  else if (problem !== undefined) process.stderr.write(`backup: ${printable(problem)}\n`);
  else if (!quiet) process.stdout.write(`${message}\n`);
  return problem === undefined ? EXIT.done : EXIT.failed;
}
