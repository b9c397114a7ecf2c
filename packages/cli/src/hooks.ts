import {
  BackupError,
  type Ended,
  type PluginRegistry,
  type ProcessGroup,
  isBackupError,
  startGroup,
  systemCode,
  waitForGroup,
} from "@backup/core";
import { variableOf } from "./reports/notifier-arguments.js";
import type { SessionResult } from "./result.js";

/** A program and its arguments; no shell reads them. */
export type Command = readonly [program: string, ...args: string[]];

/** What runs before and after the actions. */
export interface Hooks {
  readonly before: readonly Command[];
  readonly after: readonly Command[];
}

export interface HookContext {
  readonly env: NodeJS.ProcessEnv;
  /** Whose notifiers' variables are kept from hooks. */
  readonly plugins: PluginRegistry;
  readonly signal: AbortSignal;
  /** How long a hook that is told to stop may take, milliseconds; default 2000. */
  readonly graceMs?: number | undefined;
  /** After the actions only. */
  readonly result?: SessionResult | undefined;
}

export const NO_HOOKS: Hooks = { before: [], after: [] };

const GRACE_MS = 2000;

/**
 * Runs these one after the other. With a result: as JSON on stdin, its outcome in BACKUP_RESULT.
 * @throws BackupError HOOK_FAILED for the first that does not exit with 0, ABORTED
 */
export async function runHooks(hooks: readonly Command[], context: HookContext): Promise<void> {
  for (const hook of hooks) await runHook(hook, context);
}

async function runHook([program, ...args]: Command, context: HookContext): Promise<void> {
  const { signal, graceMs = GRACE_MS, result } = context;
  const hook = `the hook ${program} (${result ? "after" : "before"} the actions)`;
  throwIfStopped(signal, `${hook} was not started: there was no time left`);
  let group: ProcessGroup;
  try {
    // Its output is for a person: stdout may be read by a program.
    group = await startGroup({ program, args, env: hookEnvironment(context), stdio: ["pipe", 2, 2] });
  } catch (error) {
    const code = systemCode(error) ?? "unknown error";
    throw new BackupError("HOOK_FAILED", `${hook} cannot be started (${code}): ${WHY.get(code) ?? "see its file"}`, {
      cause: error,
    });
  }
  const input = writeInput(group, result);
  const ended = await waitForGroup(group, { signal, graceMs });
  // What it left in the background may hold the pipe, and never read.
  group.child.stdin?.destroy();
  if (ended.code !== 0) throwIfStopped(signal, `${hook} took too long and was stopped`);
  if (ended.code !== 0)
    throw new BackupError("HOOK_FAILED", `${hook} ${describeEnd(ended)}; what it printed may say why`);
  const error = await input;
  if (error) throw new BackupError("HOOK_FAILED", `${hook} did not get its input (${error.message})`, { cause: error });
}

const WHY: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such program, or its first line names one that is missing"],
  ["EACCES", "it is not executable (chmod +x)"],
  ["ENOEXEC", "it has no #! line"],
]);

/** Without our own hooks: a `backup` that a hook runs would start that hook again. And reports: their addresses are secrets. */
function hookEnvironment({ env, plugins, result }: HookContext): NodeJS.ProcessEnv {
  const reports = plugins.notifiers
    .filter(({ isPublic }) => !isPublic)
    .flatMap((plugin) => Object.keys(plugin.options).map((option) => variableOf(plugin, option)));
  const withheld = new Set(["BACKUP_BEFORE", "BACKUP_AFTER", ...reports]);
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !withheld.has(name)));
  return result ? { ...rest, BACKUP_HOOK: "after", BACKUP_RESULT: result.outcome } : { ...rest, BACKUP_HOOK: "before" };
}

/** The result as JSON. Resolves to what was wrong; a program that does not read it is in its right. */
async function writeInput({ child }: ProcessGroup, result: SessionResult | undefined): Promise<Error | undefined> {
  const { stdin } = child;
  if (!stdin) return undefined;
  return new Promise((resolve) => {
    stdin.on("error", (error) =>
      resolve(["EPIPE", "ECONNRESET"].includes(systemCode(error) ?? "") ? undefined : error),
    );
    stdin.on("close", () => resolve(undefined));
    stdin.end(result ? `${JSON.stringify(result)}\n` : "");
  });
}

/** For messages: `ended with status 5`. */
export function describeEnd({ code, signal }: Ended): string {
  return signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
}

/** @throws BackupError ABORTED where a person stopped it, HOOK_FAILED where its time is over */
function throwIfStopped(signal: AbortSignal, message: string): void {
  if (!signal.aborted) return;
  if (isBackupError(signal.reason)) throw signal.reason;
  throw new BackupError("HOOK_FAILED", message);
}
