import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { BackupError, isBackupError } from "@backup/core";
import yargs from "yargs";
import { checkDestinationCommand } from "./commands/check-destination.js";
import type { CommandContext } from "./commands/context.js";
import { imapCommand } from "./commands/imap.js";
import { EXIT, exitOfError } from "./exit-code.js";
import { abortOnSignals } from "./interrupt.js";
import { BOOLEAN_OPTIONS, COMMON_OPTIONS, USAGES, checkDestinationArguments, imapOptions } from "./options.js";
import { plugins } from "./plugins.js";
import { jsonRenderer } from "./render/json.js";
import { plainRenderer } from "./render/plain.js";
import type { Renderer } from "./render/renderer.js";
import { jsonLine, printable } from "./render/text.js";
import { usageError } from "./usage.js";

/** Runs the command line; resolves to the exit status. Prints, and never throws. */
export async function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const debug = env.DEBUG === "1";
  const secrets = env.BACKUP_DIR ?? "/backup";
  let renderer: Renderer | undefined;
  const { signal, dispose } = abortOnSignals(() => renderer?.close());
  let status: number = EXIT.done;
  const contextOf = (args: { json: boolean; quiet: boolean; verbose: boolean }): CommandContext => {
    renderer = args.json
      ? jsonRenderer(process.stdout, { debug })
      : plainRenderer(process.stdout, process.stderr, { quiet: args.quiet, verbose: args.verbose, debug });
    return { renderer, signal, debug, secrets, env };
  };
  // Our texts are English, so those of yargs are too, whatever the locale.
  const parser = yargs([...argv])
    .locale("en")
    .scriptName("backup")
    .usage("$0 TYPE …")
    // A terminal that does not say its width says 0.
    .wrap(Math.min(100, process.stdout.columns || 100))
    .options(COMMON_OPTIONS)
    // Known before the type of data is: `backup --dry-run imap …` must not take `imap` for a value.
    .boolean(BOOLEAN_OPTIONS)
    .command("imap <user> <dest> <server>", "mirror an IMAP account into a Maildir tree", imapOptions, async (args) => {
      status = await imapCommand(args, contextOf(args));
    })
    .command(
      "check-destination <dest>",
      "connect to a destination and say what it can do",
      checkDestinationArguments,
      async (args) => {
        status = await checkDestinationCommand(args, contextOf(args));
      },
    )
    .command(
      "$0",
      false,
      (command) => command.strict(false),
      ({ _: [type] }) => {
        const types = plugins.names.join(", ");
        if (type === undefined)
          throw new BackupError(
            "USAGE",
            `say what to back up: backup TYPE … (the types are: ${types}); see backup --help`,
          );
        throw new BackupError(
          "PLUGIN_UNKNOWN",
          `there is no type '${type}'; the types are: ${types}; see backup --help`,
        );
      },
    )
    .version(version())
    .epilogue("Exit status: 0 done, 1 failed, 2 wrong usage, 3 partly done, 130 interrupted. DEBUG=1 shows all.")
    .strict()
    .exitProcess(false)
    .parserConfiguration({ "greedy-arrays": false })
    .fail((message: string | null, error?: Error) => {
      // What yargs itself throws is wrong usage too.
      if (error && error.name !== "YError") throw error;
      throw usageError(message ?? error?.message ?? "wrong usage", { ...usageOf(argv), argv });
    });
  try {
    await parser.parseAsync();
  } catch (error) {
    renderer?.close();
    status = exitOfError(error);
    if (argv.includes("--json")) process.stdout.write(jsonLine(errorEvent(error)));
    process.stderr.write(`backup: ${printable(messageOf(error))}\n`);
    if (debug) process.stderr.write(`${inspect(error).split("\n").map(printable).join("\n")}\n`);
    else if (!isBackupError(error)) process.stderr.write("backup: this is a bug in backup; DEBUG=1 shows where\n");
  } finally {
    renderer?.close();
    dispose();
  }
  return status;
}

/** The usage of the command that was asked for. */
function usageOf(argv: readonly string[]): (typeof USAGES)[keyof typeof USAGES] {
  return argv.includes("check-destination") && !argv.includes("imap") ? USAGES["check-destination"] : USAGES.imap;
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "unknown";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function errorEvent(error: unknown): { type: "error"; code: string; message: string } {
  return { type: "error", code: isBackupError(error) ? error.code : "INTERNAL", message: messageOf(error) };
}
