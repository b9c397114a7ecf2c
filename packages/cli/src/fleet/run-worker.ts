import type { Verdict } from "@backup/fleet";
import type { FleetWorkerArguments } from "../commands/fleet-worker.js";
import type { CommandContext } from "../commands/subcommand.js";
import { jsonLine, printable } from "../render/text.js";
import { openQueue } from "./queue-options.js";

interface RunWorker {
  readonly args: FleetWorkerArguments;
  readonly graceMs: number;
  readonly lateMs: number;
}

/** Text format of Prometheus. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Works until the signal fires, or nothing is left where that is asked for. @throws BackupError as openQueue */
export async function runWorker({ args, graceMs, lateMs }: RunWorker, context: CommandContext): Promise<void> {
  const { signal, json, quiet, env } = context;
  await using opened = await openQueue(args, context);
  const { fleet, queues, explain } = opened;
  const metrics = new fleet.WorkerMetrics();
  const tell = (line: string, event: object): void => {
    if (json) process.stdout.write(jsonLine(event));
    else if (!quiet) process.stdout.write(`${printable(line)}\n`);
  };
  let trouble: string | undefined;
  const onTrouble = (error: Error): void => {
    const { message } = explain(error);
    // The same for as long as it lasts: once.
    if (message !== trouble) process.stderr.write(`warning: ${printable(message)}; running jobs go on\n`);
    trouble = message;
  };
  queues.redis.on("ready", () => {
    if (trouble !== undefined) tell("the queue is there again", { type: "queue-recovered" });
    trouble = undefined;
  });
  const lost = (): void => {
    if (!signal.aborted) onTrouble(new Error("the connection was lost"));
  };
  queues.redis.on("close", lost);
  await using _server =
    args.listen === undefined ? undefined : await fleet.serve(fleet.parseListen(args.listen), answer);
  tell(`working: ${args.concurrency} jobs at once`, { type: "worker", concurrency: args.concurrency });
  const onVerdict = (verdict: Verdict["is"], seconds: number): void => metrics.count(verdict, seconds);
  await fleet.work({
    queues,
    concurrency: args.concurrency,
    command: [process.execPath, process.argv[1] ?? ""],
    env: withoutOurs(env),
    signal,
    graceMs,
    untilEmpty: args.untilEmpty,
    onVerdict,
    onTrouble,
  });
  queues.redis.off("close", lost);

  async function answer(path: string) {
    if (path === "/healthz") {
      const isUp = queues.redis.status === "ready";
      return { type: "text/plain", text: isUp ? "ok\n" : "no queue\n", status: isUp ? 200 : 503 };
    }
    if (path !== "/metrics") return undefined;
    const state = await fleet.fleetMetrics(queues, { lateMs, now: Date.now() });
    return { type: METRICS_TYPE, text: `${await metrics.registry.metrics()}\n${state}` };
  }
}

/** What a worker is told is not for the commands: they would report each on its own. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { BACKUP_QUEUE: _queue, BACKUP_HEALTH_FILE: _health, ...rest } = env;
  return rest;
}
