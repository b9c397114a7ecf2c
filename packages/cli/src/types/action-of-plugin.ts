import {
  type AnyActionPlugin,
  BackupError,
  type MirrorPlugin,
  type Report,
  type SourcePlugin,
  mirrorToHistory,
  runMirror,
} from "@backup/core";
import type { Action, ActionContext } from "../action.js";
import { contextFor } from "../context-for.js";
import { destinationOf, destinationProblems, openDestination } from "../destination.js";
import { backUp, dayOfSnapshot } from "../history-options.js";
import { problemsOf } from "../problems-of.js";
import type { CommonArguments } from "./action-type.js";

/** The action that arguments of a plugin's type say. */
export function actionOf(plugin: AnyActionPlugin, args: CommonArguments): Action {
  // Here and below: what yargs or the plan's schema has read is what the description says.
  const given = args as never;
  return {
    name: args.name ?? plugin.title?.(given) ?? titleOf(plugin, args),
    type: plugin.name,
    destination: args.dest,
    host: (plugin.host?.(given) ?? "localhost").toLowerCase(),
    problems: async (context) => [
      ...(await sourceProblems(plugin, args, context)),
      ...(await destinationProblems(destinationOf(plugin, args, context.plugins), context)),
    ],
    changes: isFollowed(plugin, args) ? (context) => changesOf(plugin, args, context) : undefined,
    run: (context) => (plugin.kind === "source" ? runSource : runAsMirror)(plugin as never, args, context),
  };
}

function titleOf({ name, positionals }: AnyActionPlugin, args: CommonArguments): string {
  const word = positionals.find((each) => each.name !== "dest")?.name;
  const value = word === undefined ? undefined : { ...args }[word as keyof CommonArguments];
  return `${String(value ?? name)} → ${args.dest}`;
}

async function sourceProblems(plugin: AnyActionPlugin, args: CommonArguments, context: ActionContext) {
  await using inner = contextFor(args, context);
  if (plugin.problems) return await plugin.problems(args as never, inner);
  const open = async (): Promise<void> => {
    await using _opened = await plugin.create(args as never, inner);
  };
  return await problemsOf([open]);
}

async function runSource(plugin: SourcePlugin, args: CommonArguments, context: ActionContext): Promise<Report> {
  const { onEvent, signal } = context;
  await using inner = contextFor(args, context);
  // Opened first: another host is connected to from here on, side by side with the source.
  await using store = await openDestination(destinationOf(plugin, args, context.plugins), context);
  await using source = await plugin.create(args as never, inner);
  const { keepDeleted, allowDeletes, dryRun } = args;
  const { full, bytesPerDay } = plugin.run?.(args as never) ?? {};
  const dayBudget = bytesPerDay === undefined ? undefined : { bytes: bytesPerDay, now: () => new Date() };
  const options = { source, store, signal, onEvent, keepDeleted, allowDeletes, dryRun, full, dayBudget };
  return await backUp(args, options);
}

async function runAsMirror(plugin: MirrorPlugin, args: CommonArguments, context: ActionContext): Promise<Report> {
  const { onEvent, signal } = context;
  await using inner = contextFor(args, context);
  await using store = await openDestination(destinationOf(plugin, args, context.plugins), context);
  await using mirror = await plugin.create(args as never, inner);
  const { keepDeleted, allowDeletes, dryRun } = args;
  const options = { mirror, store, signal, onEvent, allowDeletes, dryRun };
  if (!args.hist) return await runMirror({ ...options, keepDeleted });
  return await mirrorToHistory({ ...options, day: dayOfSnapshot(args) });
}

function isFollowed(plugin: AnyActionPlugin, args: CommonArguments): plugin is SourcePlugin {
  return plugin.kind === "source" && plugin.follows?.(args as never) === true;
}

/** Opened anew each time: a password that was changed is read again. */
async function* changesOf(plugin: SourcePlugin, args: CommonArguments, context: ActionContext): AsyncGenerator<void> {
  await using inner = contextFor(args, context);
  await using source = await plugin.create(args as never, inner);
  if (!source.changes)
    throw new BackupError(
      "PLUGIN_INVALID",
      `plugin ${plugin.name} is to be followed, and its sources tell of no changes`,
    );
  yield* source.changes(context.signal);
}
