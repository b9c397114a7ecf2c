import { EXIT } from "../exit-code.js";
import { QUEUE_OPTIONS, type QueueArguments, openQueue } from "../fleet/queue-options.js";
import { jsonLine } from "../render/text.js";
import type { Subcommand } from "./subcommand.js";

interface FleetDashboardArguments extends QueueArguments {
  readonly listen: string;
}

export const fleetDashboardCommand: Subcommand<FleetDashboardArguments> = {
  name: "fleet dashboard",
  summary: "serve a page that shows the queue and changes nothing",
  positionals: [],
  options: {
    ...QUEUE_OPTIONS,
    listen: {
      type: "string",
      requiresArg: true,
      default: "127.0.0.1:3000",
      describe: "Port of loopback, or host:port; whoever reaches it sees the names of all accounts",
    },
  },
  examples: [["backup fleet dashboard --queue redis://queue.example.org", "then open http://127.0.0.1:3000/"]],
  async run({ listen, ...args }, context) {
    await using opened = await openQueue(args, context);
    const { fleet, queues } = opened;
    await using board = await fleet.serveDashboard(queues, fleet.parseListen(listen));
    if (context.json) process.stdout.write(jsonLine({ type: "dashboard", url: board.url }));
    else process.stdout.write(`${board.url}\n`);
    if (!context.signal.aborted)
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve, { once: true }));
    return EXIT.done;
  },
};
