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
  readonly signal: AbortSignal;
  /** After the actions only. */
  readonly result?: SessionResult | undefined;
}

export const NO_HOOKS: Hooks = { before: [], after: [] };

/**
 * Runs these one after the other. With a result: as JSON on stdin, its outcome in BACKUP_RESULT.
 * @throws BackupError HOOK_FAILED for the first that does not exit with 0, ABORTED
 */
export async function runHooks(hooks: readonly Command[], context: HookContext): Promise<void> {
  for (const hook of hooks) await runHook(hook, context);
}

async function runHook(_hook: Command, _context: HookContext): Promise<void> {
  throw new Error("to be written");
}
