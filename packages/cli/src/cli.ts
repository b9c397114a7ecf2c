import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { BackupError, isBackupError } from "@backup/core";
import yargs, { type Argv } from "yargs";
import { imapCommand } from "./commands/imap.js";
import { EXIT, exitOfError } from "./exit-code.js";
import { abortOnSignals } from "./interrupt.js";
import { plugins } from "./plugins.js";
import { jsonRenderer } from "./render/json.js";
import { plainRenderer } from "./render/plain.js";
import type { Renderer } from "./render/renderer.js";
import { printable } from "./render/text.js";

/** Runs the command line; resolves to the exit status. Prints, and never throws. */
export async function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const debug = env.DEBUG === "1";
  const secrets = env.BACKUP_DIR ?? "/backup";
  const { signal, dispose } = abortOnSignals();
  let status: number = EXIT.done;
  let renderer: Renderer | undefined;
  const parser = options(
    yargs([...argv])
      .scriptName("backup")
      .wrap(Math.min(100, process.stdout.columns ?? 100)),
  )
    .command("imap <user> <dest> <server>", "mirror an IMAP account into a Maildir tree", imapOptions, async (args) => {
      renderer = args.json
        ? jsonRenderer(process.stdout, { debug })
        : plainRenderer(process.stdout, process.stderr, { quiet: args.quiet, verbose: args.verbose, debug });
      status = await imapCommand(args, { renderer, signal, secrets });
    })
    .command("$0 [type]", false, typePositional, ({ type }) => {
      const types = plugins.names.join(", ");
      if (type !== undefined)
        throw new BackupError("PLUGIN_UNKNOWN", `there is no type '${type}'; the types are: ${types}`);
      throw new BackupError("USAGE", `say what to back up: backup TYPE … (the types are: ${types})`);
    })
    .version(version())
    .epilogue("Exit status: 0 done, 1 failed, 2 wrong usage, 3 partly done, 130 interrupted. DEBUG=1 shows all.")
    .strict()
    .exitProcess(false)
    .parserConfiguration({ "greedy-arrays": false, "duplicate-arguments-array": false })
    .fail((message: string | null, error?: Error) => {
      throw error ?? new BackupError("USAGE", `${lowerFirst(message ?? "wrong usage")}; see backup --help`);
    });
  try {
    await parser.parseAsync();
  } catch (error) {
    renderer?.close();
    status = exitOfError(error);
    if (renderer && argv.includes("--json")) process.stdout.write(`${JSON.stringify(errorEvent(error))}\n`);
    process.stderr.write(`backup: ${printable(messageOf(error))}\n`);
    if (debug) process.stderr.write(`${inspect(error)}\n`);
    else if (!isBackupError(error)) process.stderr.write("backup: this is a bug in backup; DEBUG=1 shows where\n");
  } finally {
    renderer?.close();
    dispose();
  }
  return status;
}

/** Options of every command. */
function options<T>(command: Argv<T>) {
  return command
    .option("json", { type: "boolean", default: false, describe: "Print one event a line as JSON" })
    .option("quiet", { alias: "q", type: "boolean", default: false, describe: "Print what is wrong only" })
    .option("verbose", { alias: "v", type: "boolean", default: false, describe: "Print every folder" });
}

/** What is left when no command matches: a type that does not exist, with whatever options its user thinks it has. */
function typePositional(command: ReturnType<typeof options<object>>) {
  return command.strict(false).positional("type", { type: "string" });
}

function imapOptions(command: ReturnType<typeof options<object>>) {
  return command
    .positional("user", { type: "string", demandOption: true, describe: "Logon name, mostly the mail address" })
    .positional("dest", { type: "string", demandOption: true, describe: "Directory; made if it is missing" })
    .positional("server", {
      type: "string",
      demandOption: true,
      describe: "host or host:993 for TLS, host:143 for STARTTLS, imaps://host:port, imap://host:port",
    })
    .option("srcsecret", {
      type: "string",
      requiresArg: true,
      describe: "File with the password, an absolute path; default /backup/USER.password",
    })
    .option("tls-ca", {
      type: "string",
      requiresArg: true,
      describe: "File of certificates to trust besides the system's",
    })
    .option("folder", {
      type: "string",
      array: true,
      requiresArg: true,
      default: [] as string[],
      describe: "Only folders that match this glob; repeatable",
    })
    .option("exclude-folder", {
      type: "string",
      array: true,
      requiresArg: true,
      default: [] as string[],
      describe: "Not the folders that match this glob; repeatable",
    })
    .option("keep-deleted", { type: "boolean", default: false, describe: "Keep what was deleted on the server" })
    .option("allow-deletes", {
      type: "boolean",
      default: false,
      describe: "Delete more than half of a folder if the server did",
    })
    .option("dry-run", { type: "boolean", default: false, describe: "Say what would be done; write nothing" })
    .option("timeout", {
      type: "number",
      requiresArg: true,
      default: 60,
      describe: "Seconds of silence until the server counts as lost",
    })
    .check(({ timeout }) => {
      if (timeout > 0) return true;
      throw new BackupError("USAGE", "--timeout takes a number of seconds above 0");
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

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
