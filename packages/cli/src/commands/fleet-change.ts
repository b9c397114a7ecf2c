import { EXIT } from "../exit-code.js";
import { QUEUE_OPTIONS, type QueueArguments, openQueue } from "../fleet/queue-options.js";
import { formatCount, jsonLine } from "../render/text.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

interface FleetRetryArguments extends QueueArguments {
  readonly name?: readonly string[] | undefined;
  readonly delayed: boolean;
}

export const fleetRetryCommand: Subcommand<FleetRetryArguments> = {
  name: "fleet retry",
  summary: "try failed jobs again: all, or those of the accounts that are named",
  positionals: [{ name: "name", isOptional: true, isMany: true, describe: "Account, as backup fleet status calls it" }],
  options: {
    ...QUEUE_OPTIONS,
    delayed: { type: "boolean", default: false, describe: "Also, at once, those that wait to be tried again" },
  },
  examples: [["backup fleet retry --queue redis://queue.example.org", "when the mail server has its passwords back"]],
  async run({ name = [], delayed, ...args }, context) {
    await using opened = await openQueue(args, context);
    return tell("retried", await opened.fleet.retry(opened.queues, name, { delayed }), "job", context);
  },
};

interface FleetForgetArguments extends QueueArguments {
  readonly name: readonly string[];
}

export const fleetForgetCommand: Subcommand<FleetForgetArguments> = {
  name: "fleet forget",
  summary: "take accounts out of the queue, with their jobs and schedules; their backups stay",
  positionals: [{ name: "name", isMany: true, describe: "Account, as backup fleet status calls it" }],
  options: QUEUE_OPTIONS,
  examples: [["backup fleet forget alice@example.org --queue redis://queue.example.org", "who is no longer backed up"]],
  async run({ name, ...args }, context) {
    await using opened = await openQueue(args, context);
    return tell("forgotten", await opened.fleet.forget(opened.queues, name), "account", context);
  },
};

function tell(did: string, count: number, what: string, { json, quiet }: CommandContext): number {
  if (json) process.stdout.write(jsonLine({ type: did, count }));
  else if (!quiet) process.stdout.write(`${formatCount(count, what)} ${did}\n`);
  return EXIT.done;
}
