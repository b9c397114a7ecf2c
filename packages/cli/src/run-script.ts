import type { StdioOptions } from "node:child_process";
import {
  BackupError,
  type Ended,
  type Member,
  type ProcessGroup,
  isBackupError,
  startGroup,
  systemCode,
  throwIfAborted,
  waitForGroup,
} from "@backup/core";
import type { CommandContext } from "./commands/subcommand.js";
import { type Command, describeEnd } from "./hooks.js";
import { JOURNAL, type Journal, readJournal } from "./journal.js";
import { tellError } from "./render/error.js";
import { tellSummary } from "./render/outcome.js";
import { rendererFor } from "./render/renderer-for.js";
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

const PLAIN: StdioOptions = ["ignore", "inherit", "inherit"];

/** Where stdout is for events: what a script prints goes to stderr, as 1, 2 and 8, and bin/backup finds stdout as 7. */
const BESIDE_EVENTS: StdioOptions = ["ignore", 2, 2, "ignore", "ignore", "ignore", "ignore", 1, 2];

/** Runs a script in which `backup` is a command, lists what became of each action; resolves to the exit status. */
export async function runScript({ file, dryRun }: RunScriptOptions, context: CommandContext): Promise<number> {
  const renderer = rendererFor(context);
  const onEvent = renderer.event.bind(renderer);
  const command = await interpreterOf(file, context.secrets);
  const about = { name: file, type: "script", destination: "", dryRun, onEvent };
  const end = await reportSession(about, context, (addProblems) =>
    work({ file, dryRun, command, addProblems }, context),
  );
  const status = exitOfSession(end);
  tellSummary(end, status, context);
  return status;
}

interface Work extends RunScriptOptions {
  readonly command: Command;
  /** Those of its commands, which they have told. */
  readonly addProblems: (count: number) => void;
}

/** The results of all actions, and that of the script itself where theirs do not say all. */
async function work(
  { file, dryRun, command, addProblems }: Work,
  context: CommandContext,
): Promise<readonly ActionResult[]> {
  const { signal } = context;
  const startedAt = new Date().toISOString();
  const started = performance.now();
  const own = (error: unknown): ActionResult => {
    const seconds = (performance.now() - started) / 1000;
    return { name: file, type: "script", destination: "", startedAt, seconds, ...failedWith(error) };
  };
  let actions: readonly ActionResult[] = [];
  try {
    throwIfAborted(signal);
    await using directory = await openScriptDirectory();
    const { journal } = directory;
    const { ended, left } = await runToEnd(command, { journal, dryRun, file }, context);
    const noted = readJournal(journal, { isStopped: signal.aborted });
    ({ actions } = noted);
    addProblems(noted.problems);
    if (signal.aborted && actions.some(({ outcome }) => outcome === "interrupted")) return actions;
    throwIfAborted(signal);
    const fault = faultOf({ ended, left }, noted);
    if (fault !== undefined) throw new BackupError("SCRIPT_FAILED", `${file} ${fault}`);
    return actions;
  } catch (error) {
    // What no person can mend is told with all that is known of it.
    if (!isBackupError(error)) tellError(error, context);
    return [...actions, own(error)];
  }
}

interface ScriptEnd {
  readonly ended: Ended;
  /** Not waited for. */
  readonly left: readonly Member[];
}

/** What is wrong with a script that no action of it tells; undefined: nothing. */
function faultOf({ ended, left }: ScriptEnd, { actions, statuses }: Journal): string | undefined {
  if (left.length > 0) return describeLeft(left);
  const how = describeEnd(ended);
  if (actions.length === 0)
    return ended.code === 0
      ? "has ended and started no action, so nothing was backed up; write one into it: backup imap USER DEST SERVER"
      : `${how} before it started any action, so nothing was backed up; what it printed may say why`;
  if (ended.code === 0 || (ended.code !== null && statuses.has(ended.code))) return undefined;
  const isWell = actions.every(({ outcome }) => outcome === "ok");
  return isWell
    ? `${how} although each action in it went well; look at its own commands`
    : `${how}, which is that of none of its actions; look at its own commands too`;
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
): Promise<ScriptEnd> {
  const { signal } = context;
  const env = scriptEnvironment({ journal, dryRun }, context);
  let group: ProcessGroup;
  try {
    // Without stdin: what asks a person would wait for ever where there is none.
    group = await startGroup({ program, args, env, stdio: context.json ? BESIDE_EVENTS : PLAIN });
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

function describeLeft(left: readonly Member[]): string {
  const names = left.map(({ pid, name }) => `${name} (${pid})`).join(", ");
  return `has ended and left something running that was not waited for: ${names}; let the script wait for it (wait) or end it, or start with setsid what is no part of the backup`;
}
