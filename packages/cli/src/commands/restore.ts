import { BackupError } from "@backup/core";
import { ACTION_OPTIONS } from "../action-options.js";
import { contextFor } from "../context-for.js";
import { LOOKING_OPTIONS, checkLookingOptions } from "../looking-options.js";
import { destinationOf } from "../destination.js";
import { isDry } from "../dry-run.js";
import { EXIT } from "../exit-code.js";
import { openAny } from "../open-backup.js";
import { rendererFor } from "../render/renderer-for.js";
import { formatRestored } from "../render/restored.js";
import type { RestoreArguments, RestoreType } from "../restore-types/restore-type.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

/** `backup restore TYPE …` */
export function restoreCommand<Arguments extends RestoreArguments>(
  type: RestoreType<Arguments>,
): Subcommand<Arguments> {
  const { "dry-run": dryRun } = ACTION_OPTIONS;
  return {
    ...type,
    name: `restore ${type.name}`,
    options: { ...type.options, "dry-run": dryRun, ...LOOKING_OPTIONS },
    check(args) {
      checkLookingOptions(args);
      type.check(args);
    },
    run: (args, context) => restore(type, args, context),
  };
}

async function restore<Arguments extends RestoreArguments>(
  type: RestoreType<Arguments>,
  args: Arguments,
  context: CommandContext,
): Promise<number> {
  const { signal, json, quiet } = context;
  const dryRun = isDry(args, context.env);
  const renderer = rendererFor(context);
  context.onLeave(() => renderer.close());
  const inner = { ...context, onEvent: renderer.event.bind(renderer) };
  try {
    await using given = contextFor(args, inner);
    await using target = await type.open(args, given);
    await using opened = await openAny(destinationOf(type, args, inner.plugins), inner);
    if (opened.type !== type.name)
      throw new BackupError(
        "USAGE",
        `the backup at ${opened.store.name} is one of ${opened.backup.source}: backup restore ${opened.type} is for it`,
      );
    const report = await target.restore({ ...opened, dryRun, signal, onEvent: inner.onEvent });
    // What would be done is what was asked for.
    if (dryRun && quiet && !json) process.stdout.write(`${formatRestored(report)}\n`);
    return report.result === "partial" ? EXIT.partial : EXIT.done;
  } finally {
    renderer.close();
  }
}
