import { BackupError } from "@backup/core";
import type { HostLimits } from "@backup/fleet";
import { EXIT } from "../exit-code.js";
import { PERIODS, type Period } from "../fleet/period.js";
import { QUEUE_OPTIONS, type QueueArguments } from "../fleet/queue-options.js";
import { spanOf } from "../fleet/span.js";
import { formatCount, jsonLine, printable } from "../render/text.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export interface FleetEnqueueArguments extends QueueArguments {
  readonly file: string;
  readonly period: Period;
  readonly every?: string | undefined;
  readonly jitter?: string | undefined;
  readonly perHost?: number | undefined;
  readonly rate?: number | undefined;
  readonly perDestination?: number | undefined;
  readonly skipBad: boolean;
}

export const fleetEnqueueCommand: Subcommand<FleetEnqueueArguments> = {
  name: "fleet enqueue",
  summary: "put a job for each account into a queue, for workers on many machines",
  positionals: [{ name: "file", describe: "Plan (.yaml, .yml), or accounts (.csv), one a line" }],
  options: {
    ...QUEUE_OPTIONS,
    period: {
      type: "string",
      choices: PERIODS,
      default: "day",
      describe: "One job for each account in each hour, day or week (UTC), however often this is run",
    },
    every: { type: "string", requiresArg: true, describe: "Instead: again and again, this often, as 24h" },
    jitter: {
      type: "string",
      requiresArg: true,
      describe: "With --every: the first runs within this time; default: as --every",
    },
    "per-host": {
      type: "number",
      requiresArg: true,
      describe: "Jobs at once that read from one host, over all workers",
    },
    rate: { type: "number", requiresArg: true, describe: "Jobs that begin in a minute on one host" },
    "per-destination": { type: "number", requiresArg: true, describe: "Jobs at once that write to one host" },
    "skip-bad": { type: "boolean", default: false, describe: "Leave out accounts that are wrong, and name them" },
  },
  examples: [
    ["backup fleet enqueue accounts.csv --queue redis://queue.example.org", "today's job for each account"],
    [
      "backup fleet enqueue plan.yaml --queue redis://queue.example.org --every 24h --per-host 50",
      "each day, for ever",
    ],
  ],
  check({ every, jitter, wait, perHost, rate, perDestination }) {
    if (jitter !== undefined && every === undefined) throw new BackupError("USAGE", "--jitter goes with --every");
    for (const [name, text] of Object.entries({ "--every": every, "--jitter": jitter, "--wait": wait }))
      if (text !== undefined) spanOf(name, text);
    if (every !== undefined && spanOf("--every", every) < 60_000)
      throw new BackupError("USAGE", "--every takes a minute or more");
    for (const [name, count] of Object.entries({
      "--per-host": perHost,
      "--rate": rate,
      "--per-destination": perDestination,
    }))
      if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= 100_000))
        throw new BackupError("USAGE", `${name} takes a whole number from 1 to 100000`);
  },
  run,
};

async function run(args: FleetEnqueueArguments, context: CommandContext): Promise<number> {
  const { json, quiet, signal } = context;
  // Loaded when used: they cost start-up time.
  const { readActions } = await import("../plan/read-actions.js");
  const { accountsOf, unusedOf } = await import("../fleet/accounts.js");
  const { openQueue } = await import("../fleet/queue-options.js");
  const { periodOf } = await import("../fleet/period.js");
  let bad = 0;
  const onBad = args.skipBad
    ? (line: string): void => {
        bad++;
        process.stderr.write(`left out: ${printable(line)}\n`);
      }
    : undefined;
  const { env, plugins } = context;
  const plan = await readActions(args.file, { dryRun: false, env, plugins, signal, onBad });
  const accounts = accountsOf(plan);
  const unused = unusedOf(plan).join(", ");
  if (unused !== "")
    process.stderr.write(
      `warning: ${printable(args.file)}: a queue runs each account on its own, without ${unused} of the whole plan; backup fleet status --late says who has no fresh backup, --every when they begin\n`,
    );
  await using opened = await openQueue(args, context);
  const now = new Date();
  const limits: HostLimits = { perHost: args.perHost, ratePerMinute: args.rate, perDestination: args.perDestination };
  const when =
    args.every === undefined
      ? { period: periodOf(args.period, now) }
      : {
          everyMs: spanOf("--every", args.every),
          jitterMs: args.jitter === undefined ? undefined : spanOf("--jitter", args.jitter),
        };
  const done = await opened.fleet.enqueue(opened.queues, {
    accounts,
    ...when,
    limits,
    onBad,
    now: now.getTime(),
    signal,
  });
  if (json) process.stdout.write(jsonLine({ type: "enqueued", ...done, left: bad }));
  else if (!quiet) {
    const parts = [
      `${formatCount(done.added, "account")} added`,
      `${done.present} there already`,
      ...(bad > 0 ? [`${bad} left out`] : []),
    ];
    process.stdout.write(`${parts.join(", ")}; ${formatCount(done.hosts, "host")}\n`);
  }
  return bad > 0 ? EXIT.partial : EXIT.done;
}
