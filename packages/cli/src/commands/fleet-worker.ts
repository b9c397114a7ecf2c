import { BackupError } from "@backup/core";
import { EXIT } from "../exit-code.js";
import { QUEUE_OPTIONS, type QueueArguments } from "../fleet/queue-options.js";
import { spanOf } from "../fleet/span.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export interface FleetWorkerArguments extends QueueArguments {
  readonly concurrency: number;
  readonly grace: string;
  readonly listen?: string | undefined;
  readonly late: string;
  readonly untilEmpty: boolean;
}

export const fleetWorkerCommand: Subcommand<FleetWorkerArguments> = {
  name: "fleet worker",
  summary: "run jobs of the queue, each in a process of its own, until it is told to stop",
  positionals: [],
  options: {
    ...QUEUE_OPTIONS,
    concurrency: { type: "number", requiresArg: true, default: 4, describe: "Jobs at once" },
    grace: {
      type: "string",
      requiresArg: true,
      default: "20s",
      describe: "After SIGTERM, running jobs may go on for so long; then they go back to the queue",
    },
    listen: {
      type: "string",
      requiresArg: true,
      describe: "Serve /healthz and /metrics (Prometheus) at this port of loopback, or at host:port",
    },
    late: {
      type: "string",
      requiresArg: true,
      default: "26h",
      describe: "What /metrics counts as late: no success for so long",
    },
    "until-empty": { type: "boolean", default: false, describe: "End when nothing is left to do" },
  },
  examples: [["backup fleet worker --queue redis://queue.example.org --concurrency 8", "one of any number of workers"]],
  check({ concurrency, grace, late, wait }) {
    if (!(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 1000))
      throw new BackupError("USAGE", "--concurrency takes a whole number from 1 to 1000");
    for (const [name, text] of Object.entries({ "--grace": grace, "--late": late, "--wait": wait }))
      if (text !== undefined) spanOf(name, text);
  },
  async run(args, context: CommandContext) {
    const graceMs = spanOf("--grace", args.grace);
    // Longer than the commands that it ends take themselves.
    context.allowToEnd(graceMs + 15_000);
    const { runWorker } = await import("../fleet/run-worker.js");
    await runWorker({ args, graceMs, lateMs: spanOf("--late", args.late) }, context);
    return EXIT.done;
  },
};
