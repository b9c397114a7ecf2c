import {
  BackupError,
  type ErrorCode,
  type FollowOptions,
  type FollowTiming,
  follow,
  throwIfAborted,
} from "@backup/core";
import prettyMs from "pretty-ms";
import type { Action } from "./action.js";
import type { CommandContext } from "./commands/subcommand.js";
import { EXIT } from "./exit-code.js";
import { HEALTH_FILE } from "./health.js";
import { JOURNAL } from "./journal.js";
import { perform } from "./perform.js";
import { tellError } from "./render/error.js";
import { manyRenderer } from "./render/many.js";
import { rendererFor } from "./render/renderer-for.js";
import type { Renderer } from "./render/renderer.js";
import { RunNews } from "./render/run-news.js";
import { reportSession } from "./report-session.js";
import { ReportNews } from "./reports/report-news.js";
import type { SessionResult } from "./result.js";
import { sleep } from "./sleep.js";
import { startHealthBeat } from "./watch-health.js";
import { watchRecord } from "./watch-record.js";

/** An action that goes on for ever. */
export type WatchedAction = Action & Required<Pick<Action, "changes">>;

/**
 * Runs an action, and again whenever its source changes, until it is told to end; each run has its hooks and reports.
 * Resolves to the exit status: that of an interruption if it interrupted something.
 * @throws BackupError what is wrong for good before anything went well; USAGE
 */
export async function watchAction(
  action: WatchedAction,
  context: CommandContext,
  timing: Partial<FollowTiming> = {},
): Promise<number> {
  const { signal, env } = context;
  if (env[JOURNAL] !== undefined) throw inScript();
  throwIfAborted(signal);
  const view = manyRenderer(process.stdout, process.stderr, context);
  const warn = (code: string, message: string): void => view.event({ type: "warning", code, message });
  await using health = env[HEALTH_FILE]
    ? await startHealthBeat(env[HEALTH_FILE], (message) => warn("WATCH", message))
    : undefined;
  const record = watchRecord({ actions: [{ action, schedule: undefined, hooks: { before: [], after: [] } }] });
  const runs = new Runs(action, context);
  let isInterrupted = false;
  let isBegun = false;

  const run = async (ending: AbortSignal): Promise<void> => {
    const { result, error } = await runs.next(ending);
    isInterrupted ||= result.outcome === "interrupted";
    record.note(result);
    await health?.set({ last: record.last() });
    if (error !== undefined) throw error;
    if (!isBegun) view.say("watching for changes", { type: "watch" });
    isBegun = true;
  };
  const news = new RunNews();
  const changes = (ending: AbortSignal): AsyncIterable<void> =>
    action.changes({ ...context, onEvent: news.begin(view.event.bind(view)), signal: ending });
  await follow({
    changes,
    run,
    clock: { now: () => performance.now(), random: Math.random, sleep },
    timing,
    onTrouble: (part, error, pauseMs) => warn(error.code, troubleText(part, error, pauseMs)),
    onRecovery: (part) => view.say(RECOVERED[part], { type: "watch-recovered" }),
    signal,
  });
  if (!isInterrupted) {
    view.say("the watch has ended", { type: "watch-end" });
    return EXIT.done;
  }
  tellError(signal.reason, context);
  return EXIT.interrupted;
}

function inScript(): BackupError {
  const message =
    "--watch never ends, so the script that it is in would not either; start it by itself, as a service or a container";
  return new BackupError("USAGE", message);
}

type Part = Parameters<FollowOptions["onTrouble"]>[0];

const TROUBLE: Readonly<Record<Part, string>> = {
  listening: "the source cannot be watched now",
  running: "the run failed",
};
const RECOVERED: Readonly<Record<Part, string>> = {
  listening: "the source is watched again",
  running: "runs go well again",
};

function troubleText(part: Part, { message }: BackupError, pauseMs: number): string {
  const pause = prettyMs(Math.max(1000, pauseMs), { secondsDecimalDigits: 0 });
  return `${TROUBLE[part]}: ${message} (tried again in ${pause}, and for ever)`;
}

/** The runs of one action, one after the other. */
class Runs {
  readonly #action: Action;
  readonly #context: CommandContext;
  readonly #news = new RunNews();
  readonly #reports = new ReportNews(() => performance.now());
  #renderer: Renderer | undefined;

  constructor(action: Action, context: CommandContext) {
    this.#action = action;
    this.#context = context;
    context.onLeave(() => this.#renderer?.close());
  }

  async next(signal: AbortSignal): Promise<{ readonly result: SessionResult; readonly error: Error | undefined }> {
    const action = this.#action;
    const context = { ...this.#context, signal };
    const renderer = rendererFor(context);
    this.#renderer = renderer;
    const onEvent = context.verbose
      ? renderer.event.bind(renderer)
      : this.#news.begin((event) => renderer.event(event));
    const { name, type, destination } = action;
    const planned = { name, type, destination };
    const about = { ...planned, dryRun: false, planned: [planned], onEvent, select: this.#reports.select };
    let failure: Error | undefined;
    const { result } = await reportSession(about, context, async () => {
      const performed = await perform(action, { ...context, onEvent });
      renderer.close();
      failure = toError(performed.error);
      return [performed.result];
    });
    this.#reports.note(result);
    return { result, error: failure ?? hookError(result.actions[0]?.error) };
  }
}

function toError(thrown: unknown): Error | undefined {
  return thrown === undefined || thrown instanceof Error ? thrown : new Error("it is no error", { cause: thrown });
}

/** Of a hook that kept it from beginning; the next time it may go well. */
function hookError(error: { readonly code: string; readonly message: string } | undefined): BackupError | undefined {
  return error && new BackupError(error.code as ErrorCode, error.message, { transient: true });
}
