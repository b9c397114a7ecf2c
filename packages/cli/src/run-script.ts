import { BackupError, type EventSink, isBackupError, systemCode, throwIfAborted } from "@backup/core";
import type { CommandContext } from "./commands/subcommand.js";
import { type Command, describeEnd } from "./hooks.js";
import { JOURNAL, readJournal } from "./journal.js";
import { type Ended, type Member, type ProcessGroup, startGroup, waitForGroup } from "./process-group.js";
import { tellError } from "./render/error.js";
import { jsonRenderer } from "./render/json.js";
import { tellSummary } from "./render/outcome.js";
import { plainRenderer } from "./render/plain.js";
import { reportSession } from "./report-session.js";
import { type ActionResult, failedWith } from "./result.js";
import { waitForBackground } from "./script-background.js";
import { openScriptDirectory } from "./script-directory.js";
import { scriptEnvironment } from "./script-environment.js";
import { interpreterOf } from "./script-interpreter.js";
import { exitOfSession } from "./session.js";

export interface RunScriptOptions {
  readonly file: string;
  readonly dryRun: boolean;
}

/**
 * A script that is told to stop may take so long, milliseconds. With the reports after it, it is still less than the ten
 * seconds of `docker stop`; inside of another script it is less than that one has.
 */
const GRACE_MS = 4500;
const INNER_GRACE_MS = 3500;

/** Runs a script in which `backup` is a command, lists what became of each action; resolves to the exit status. */
export async function runScript({ file, dryRun }: RunScriptOptions, context: CommandContext): Promise<number> {
  const renderer = context.json
    ? jsonRenderer(process.stdout, context)
    : plainRenderer(process.stdout, process.stderr, context);
  const onEvent = renderer.event.bind(renderer);
  const command = await interpreterOf(file, context.secrets);
  const about = { name: file, type: "script", destination: "", dryRun, onEvent };
  const end = await reportSession(about, context, () => work({ file, dryRun, command, onEvent }, context));
  const status = exitOfSession(end);
  tellSummary(end, status, context);
  return status;
}

interface Work extends RunScriptOptions {
  readonly command: Command;
  readonly onEvent: EventSink;
}

/** The results of all actions, and that of the script itself where theirs do not say all. */
async function work(
  { file, dryRun, command, onEvent }: Work,
  context: CommandContext,
): Promise<readonly ActionResult[]> {
  const { signal } = context;
  const startedAt = new Date().toISOString();
  const started = performance.now();
  const own = (error: unknown): ActionResult => {
    const seconds = (performance.now() - started) / 1000;
    return { name: file, type: "script", destination: "", startedAt, seconds, ...failedWith(error) };
  };
  const warn = (code: string, message: string): void => onEvent({ type: "warning", code, message });
  let actions: readonly ActionResult[] = [];
  try {
    throwIfAborted(signal);
    await using directory = await openScriptDirectory();
    const { journal } = directory;
    const { ended, left } = await runToEnd(command, { journal, dryRun, file }, context);
    ({ actions } = readJournal(journal, { isStopped: signal.aborted }));
    if (left.length > 0) warn("SCRIPT_LEFT", describeLeft(file, left));
    if (signal.aborted && actions.some(({ outcome }) => outcome === "interrupted")) return actions;
    throwIfAborted(signal);
    if (ended.code !== 0 && !actions.some(({ status }) => status === ended.code))
      throw new BackupError("SCRIPT_FAILED", `${file} ${describeEnd(ended)}, and none of its actions did`);
    if (actions.length === 0) warn("NO_ACTION", `no action was run: ${file} has ended, and started no \`backup\``);
    return actions;
  } catch (error) {
    // What no person can mend is told with all that is known of it.
    if (!isBackupError(error)) tellError(error, context);
    return [...actions, own(error)];
  }
}

interface Running {
  readonly file: string;
  readonly journal: string;
  readonly dryRun: boolean;
}

async function runToEnd(
  [program, ...args]: Command,
  { file, journal, dryRun }: Running,
  context: CommandContext,
): Promise<{ readonly ended: Ended; readonly left: readonly Member[] }> {
  const { signal } = context;
  const env = scriptEnvironment({ journal, dryRun }, context);
  let group: ProcessGroup;
  try {
    // Without stdin: what asks a person would wait for ever where there is none.
    group = await startGroup({ program, args, env, stdio: ["ignore", "inherit", "inherit"] });
  } catch (error) {
    const code = systemCode(error) ?? "unknown error";
    const hint = code === "EACCES" ? "make it executable: chmod +x" : "is that installed?";
    throw new BackupError("SCRIPT_FAILED", `${file} cannot be started by ${program} (${code}); ${hint}`, {
      cause: error,
    });
  }
  let left: readonly Member[] = [];
  const ended = await waitForGroup(group, {
    signal,
    graceMs: context.env[JOURNAL] === undefined ? GRACE_MS : INNER_GRACE_MS,
    rest: async () => {
      left = await waitForBackground({ group: group.pid, journal, signal });
    },
  });
  return { ended, left };
}

function describeLeft(file: string, left: readonly Member[]): string {
  const names = left.map(({ pid, name }) => `${name} (${pid})`).join(", ");
  return `${file} has ended and left something running that is not waited for: ${names}; end it in the script, or start it with setsid`;
}
