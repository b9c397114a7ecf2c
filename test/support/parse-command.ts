import { PLUGINS, SUBCOMMANDS } from "../../packages/cli/test/support/types.js";
import { makeParser } from "../../packages/cli/src/parser.js";

export interface Parsed {
  /** `run`, `config check`. */
  readonly command: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** What the command line understands, without doing it. @throws BackupError USAGE, as it would say */
export async function parseCommand(argv: readonly string[]): Promise<Parsed> {
  let parsed: Parsed | undefined;
  await makeParser({ argv, version: "0", plugins: PLUGINS }, async ({ name }, args) => {
    parsed = { command: name, args: { ...args } };
  }).parseAsync();
  if (parsed) return parsed;
  throw new Error(`no command of ${SUBCOMMANDS.map(({ name }) => name).join(", ")} was run: ${argv.join(" ")}`);
}
