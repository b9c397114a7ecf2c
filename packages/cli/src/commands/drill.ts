import { BackupError, type OpenDrill, type PluginRegistry, drill } from "@backup/core";
import { type Counterparts, counterpartsOf } from "../counterparts.js";
import { drillHere } from "../drill-here.js";
import { EXIT } from "../exit-code.js";
import { LOOKING_OPTIONS, type LookingArguments, checkLookingOptions } from "../looking-options.js";
import { openBackup } from "../open-backup.js";
import { type Drilled, drilledJson, formatDrilled, isProven } from "../render/drilled.js";
import { rendererFor } from "../render/renderer-for.js";
import { printable } from "../render/text.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export interface DrillArguments extends LookingArguments {
  readonly messages: number;
}

const MOST_MESSAGES = 1000;
/** `backup drill DEST` */
export function drillCommand(plugins: PluginRegistry): Subcommand<DrillArguments> {
  const places = counterpartsOf(plugins, (plugin) => (plugin.kind === "source" ? plugin.drill : undefined));
  return {
    name: "drill",
    summary: "bring some messages back to a throwaway place and compare every byte: exit status 0 or 3",
    positionals: [{ name: "dest", describe: "Directory here, or [user@]host:dir; only read" }],
    options: {
      messages: {
        type: "number",
        requiresArg: true,
        default: 10,
        describe: "How many, chosen at random from all folders",
      },
      ...places.options,
      ...LOOKING_OPTIONS,
    },
    examples: [["backup drill nas:mail/alice", "do ten messages come back as they were stored?"], ...places.examples],
    check(args) {
      checkLookingOptions(args);
      const { messages } = args;
      if (!(Number.isInteger(messages) && messages >= 1 && messages <= MOST_MESSAGES))
        throw new BackupError("USAGE", `--messages takes a whole number from 1 to ${MOST_MESSAGES}`);
      places.check(args);
    },
    run: (args, context) => run(args, places, context),
  };
}

async function run(args: DrillArguments, places: Counterparts<OpenDrill>, context: CommandContext): Promise<number> {
  const { signal, json, quiet } = context;
  const renderer = rendererFor(context);
  const onEvent = renderer.event.bind(renderer);
  const inner = { ...context, onEvent };
  await using opened = await openBackup(args, inner);
  await using given = await places.open(args, opened, inner);
  const { place, name: account, told, removalMs } = given?.made ?? { place: drillHere };
  if (removalMs !== undefined) context.allowToEnd(removalMs);
  const report = await drill({ ...opened, place, count: args.messages, signal, onEvent });
  const drilled: Drilled = {
    destination: opened.store.name,
    source: opened.backup.source,
    account,
    ...report,
  };
  const isGood = isProven(report);
  if (json) process.stdout.write(drilledJson(drilled));
  else if (!quiet || !isGood)
    process.stdout.write(`${printable(formatDrilled(drilled, { how: told, unit: opened.layout.unit }))}\n`);
  return isGood ? EXIT.done : EXIT.partial;
}
