import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { BackupError, isBackupError } from "@backup/core";
import yargs, { type Argv, type InferredOptionTypes, type Options } from "yargs";
import { imapCommand } from "./commands/imap.js";
import { EXIT, exitOfError } from "./exit-code.js";
import { abortOnSignals } from "./interrupt.js";
import { plugins } from "./plugins.js";
import { jsonRenderer } from "./render/json.js";
import { plainRenderer } from "./render/plain.js";
import type { Renderer } from "./render/renderer.js";
import { printable } from "./render/text.js";
import { checkGivenOnce, usageError } from "./usage.js";

/** Runs the command line; resolves to the exit status. Prints, and never throws. */
export async function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const debug = env.DEBUG === "1";
  const secrets = env.BACKUP_DIR ?? "/backup";
  let renderer: Renderer | undefined;
  const { signal, dispose } = abortOnSignals(() => renderer?.close());
  let status: number = EXIT.done;
  // Our texts are English, so those of yargs are too, whatever the locale.
  const parser = yargs([...argv])
    .locale("en")
    .scriptName("backup")
    // A terminal that does not say its width says 0.
    .wrap(Math.min(100, process.stdout.columns || 100))
    .options(COMMON_OPTIONS)
    .command("imap <user> <dest> <server>", "mirror an IMAP account into a Maildir tree", imapOptions, async (args) => {
      renderer = args.json
        ? jsonRenderer(process.stdout, { debug })
        : plainRenderer(process.stdout, process.stderr, { quiet: args.quiet, verbose: args.verbose, debug });
      status = await imapCommand(args, { renderer, signal, secrets });
    })
    .command(
      "$0",
      false,
      (command) => command.usage("backup TYPE …").strict(false),
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
      throw usageError(message ?? error?.message ?? "wrong usage", { ...IMAP_USAGE, argv });
    });
  try {
    await parser.parseAsync();
  } catch (error) {
    renderer?.close();
    status = exitOfError(error);
    if (argv.includes("--json")) process.stdout.write(`${JSON.stringify(errorEvent(error))}\n`);
    process.stderr.write(`backup: ${printable(messageOf(error))}\n`);
    if (debug) process.stderr.write(`${inspect(error).split("\n").map(printable).join("\n")}\n`);
    else if (!isBackupError(error)) process.stderr.write("backup: this is a bug in backup; DEBUG=1 shows where\n");
  } finally {
    renderer?.close();
    dispose();
  }
  return status;
}

const NONE: string[] = [];

/** Options of every command. */
const COMMON_OPTIONS = {
  json: { type: "boolean", default: false, describe: "Print one event a line as JSON" },
  quiet: { alias: "q", type: "boolean", default: false, describe: "Print what is wrong only" },
  verbose: { alias: "v", type: "boolean", default: false, describe: "Print every folder" },
} as const satisfies Record<string, Options>;

const IMAP_OPTIONS = {
  srcsecret: {
    type: "string",
    requiresArg: true,
    describe: "File with the password, an absolute path; default /backup/USER.password",
  },
  "tls-ca": { type: "string", requiresArg: true, describe: "File of certificates to trust besides the system's" },
  folder: {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Only folders that match this glob; repeatable",
  },
  "exclude-folder": {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Not the folders that match this glob; repeatable",
  },
  "keep-deleted": { type: "boolean", default: false, describe: "Keep what was deleted on the server" },
  "allow-deletes": { type: "boolean", default: false, describe: "Delete more than half of a folder if the server did" },
  "dry-run": { type: "boolean", default: false, describe: "Say what would be done; write nothing" },
  timeout: {
    type: "number",
    requiresArg: true,
    default: 60,
    describe: "Seconds of silence until the server counts as lost",
  },
} as const satisfies Record<string, Options>;

const IMAP_USAGE = {
  command: "backup imap",
  positionals: ["USER", "DEST", "SERVER"],
  options: [...Object.keys(COMMON_OPTIONS), ...Object.keys(IMAP_OPTIONS)],
} as const;

const LONGEST_TIMEOUT_S = 24 * 60 * 60;

function imapOptions(command: Argv<InferredOptionTypes<typeof COMMON_OPTIONS>>) {
  return command
    .positional("user", { type: "string", demandOption: true, describe: "Logon name, mostly the mail address" })
    .positional("dest", { type: "string", demandOption: true, describe: "Directory; made if it is missing" })
    .positional("server", {
      type: "string",
      demandOption: true,
      describe: "host or host:993 for TLS, host:143 for STARTTLS, imaps://host:port, imap://host:port",
    })
    .options(IMAP_OPTIONS)
    .check((args) => {
      checkGivenOnce(args, ["srcsecret", "tls-ca", "timeout"]);
      // What an unset variable of a script leaves; an empty destination would be the directory that one is in.
      if (args.user === "") throw new BackupError("USAGE", "USER is empty; give the logon name");
      if (args.dest === "") throw new BackupError("USAGE", "DEST is empty; name a directory (. is the one you are in)");
      if (args.timeout > 0 && args.timeout <= LONGEST_TIMEOUT_S) return true;
      throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
    })
    .example("backup imap alice@example.org /backup/alice mail.example.org", "the whole account, by TLS")
    .example(
      "backup imap alice@example.org ./alice mail.example.org:143 --folder 'Archive/**'",
      "some folders, by STARTTLS",
    );
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
