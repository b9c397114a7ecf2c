import type { CommandContext } from "./commands/subcommand.js";

export interface RunScriptOptions {
  readonly file: string;
  readonly dryRun: boolean;
}

/** Runs a script in which `backup` is a command, lists what became of each action; resolves to the exit status. */
export async function runScript({ file }: RunScriptOptions, _context: CommandContext): Promise<number> {
  throw new Error(`to be written: ${file}`);
}
