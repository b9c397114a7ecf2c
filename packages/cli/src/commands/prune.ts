import { type Verdict, formatDay, prune } from "@backup/core";
import type { Options } from "yargs";
import { ACTION_OPTIONS } from "../action-options.js";
import type { DestinationArguments } from "../destinations.js";
import { openDestination } from "../destination.js";
import { isDry } from "../dry-run.js";
import { EXIT } from "../exit-code.js";
import { rendererFor } from "../render/renderer-for.js";
import { jsonLine, printable } from "../render/text.js";
import { RETENTION_OPTIONS, type RetentionFields, toRetention } from "../retention-options.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

interface PruneArguments extends DestinationArguments, RetentionFields {
  readonly dryRun: boolean;
}

const OPTIONS: Readonly<Record<string, Options>> = {
  ...RETENTION_OPTIONS,
  "dry-run": ACTION_OPTIONS["dry-run"],
};

export const pruneCommand: Subcommand<PruneArguments> = {
  name: "prune",
  summary: "remove snapshots of a history that nothing says to keep; never the newest complete one",
  positionals: [{ name: "dest", describe: "Directory here, or [user@]host:dir, that holds snapshots" }],
  options: OPTIONS,
  examples: [
    ["backup prune nas:mail/alice --keep-daily 7 --keep-weekly 4 --keep-monthly 12", "thin out what is older"],
    ["backup prune nas:mail/alice --keep-last 30 --dry-run", "what would go?"],
  ],
  check(args) {
    toRetention(args);
  },
  run,
};

async function run(args: PruneArguments, context: CommandContext): Promise<number> {
  const { signal, json, env } = context;
  const renderer = rendererFor(context);
  const dryRun = isDry(args, env);
  await using store = await openDestination(args, { ...context, onEvent: renderer.event.bind(renderer) });
  const verdicts = await prune({ store, retention: toRetention(args), dryRun, signal });
  const text = json
    ? jsonLine({ type: "prune", destination: store.name, dryRun, snapshots: verdicts.map(toJson) })
    : format(store.name, verdicts, { ...context, dryRun });
  process.stdout.write(text);
  return EXIT.done;
}

function toJson({ day, reasons }: Verdict): object {
  return { day: formatDay(day), kept: reasons.length > 0, reasons };
}

function format(
  name: string,
  verdicts: readonly Verdict[],
  { dryRun, quiet }: Pick<CommandContext, "quiet"> & { readonly dryRun: boolean },
): string {
  if (quiet && !dryRun) return "";
  const rows = verdicts.map(({ day, reasons }) =>
    reasons.length > 0 ? `${formatDay(day)}  kept     ${reasons.join(", ")}` : `${formatDay(day)}  removed`,
  );
  const kept = verdicts.filter(({ reasons }) => reasons.length > 0).length;
  const did = dryRun ? "dry run, nothing was removed" : "done";
  const sum = `${printable(name)}: ${did}: ${kept} kept, ${verdicts.length - kept} removed`;
  return `${[...rows, sum].join("\n")}\n`;
}
