import { EXIT } from "../exit-code.js";
import { QUEUE_OPTIONS, type QueueArguments, openQueue } from "../fleet/queue-options.js";
import { formatSpan, spanOf } from "../fleet/span.js";
import { align } from "../render/table.js";
import { formatCount, jsonLine, printable } from "../render/text.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

interface FleetStatusArguments extends QueueArguments {
  readonly late?: string | undefined;
  readonly metrics?: string | undefined;
}

/** Failed jobs of a host that are named. */
const MOST_FAILED = 20;
/** Late accounts that are named to a person. */
const MOST_LATE = 50;

export const fleetStatusCommand: Subcommand<FleetStatusArguments> = {
  name: "fleet status",
  summary: "say what waits, runs, is done, failed and why, and which accounts are late",
  positionals: [],
  options: {
    ...QUEUE_OPTIONS,
    late: {
      type: "string",
      requiresArg: true,
      describe: "End with status 3 if an account had no success for so long, as 26h, and name it",
    },
    metrics: { type: "string", requiresArg: true, describe: "Write it into a file for Prometheus' node_exporter too" },
  },
  examples: [
    [
      "backup fleet status --queue redis://queue.example.org --late 26h",
      "for a monitor: 3 if anybody has no fresh backup",
    ],
  ],
  check({ late, wait }) {
    for (const [name, text] of Object.entries({ "--late": late, "--wait": wait }))
      if (text !== undefined) spanOf(name, text);
  },
  run,
};

async function run(args: FleetStatusArguments, context: CommandContext): Promise<number> {
  const lateMs = args.late === undefined ? undefined : spanOf("--late", args.late);
  await using opened = await openQueue(args, context);
  const { fleet, queues } = opened;
  const now = Date.now();
  const status = await fleet.fleetStatus(queues, { lateMs, most: MOST_FAILED, now });
  if (args.metrics !== undefined) {
    const { replaceFile } = await import("../reports/replace-file.js");
    await replaceFile(args.metrics, await fleet.formatStatus(status));
  }
  if (context.json) process.stdout.write(jsonLine({ type: "fleet", ...status }));
  else process.stdout.write(format(status, { quiet: context.quiet, now }));
  return status.late.length > 0 ? EXIT.partial : EXIT.done;
}

type Status = Awaited<ReturnType<typeof import("@backup/fleet")["fleetStatus"]>>;

function format(
  { accounts, hosts, total, failed, retrying, late }: Status,
  { quiet, now }: { readonly quiet: boolean; readonly now: number },
): string {
  const row = (name: string, { waiting, running, delayed, done, failed: lost }: Status["total"]): readonly string[] => [
    ...[waiting, running, delayed, done, lost].map((count) => count.toLocaleString("en")),
    printable(name),
  ];
  const head = ["waiting", "running", "later", "done", "failed", "host"];
  const table = align([
    head,
    ...hosts.map((host) => row(host.host, host)),
    row(formatCount(accounts, "account"), total),
  ]);
  const again = retrying.map(({ name, reason, runs }) =>
    printable(`will be tried again: ${name}: ${reason} (${formatCount(runs, "run")})`),
  );
  const reasons = failed.map(({ name, reason, runs }) =>
    printable(`failed: ${name}: ${reason} (${formatCount(runs, "run")})`),
  );
  const lates = late
    .slice(0, MOST_LATE)
    .map(({ name, success }) =>
      printable(
        `late: ${name}: ${success === undefined ? "never backed up" : `last success ${formatSpan(now - success)} ago`}`,
      ),
    );
  const rest = late.length - lates.length;
  const lines = [
    ...(quiet ? [] : [...table, ...again]),
    ...reasons,
    ...lates,
    ...(rest > 0 ? [`late: and ${rest} more`] : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}
