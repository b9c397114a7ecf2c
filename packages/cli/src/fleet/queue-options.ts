import { BackupError, findSecret } from "@backup/core";
import type { Queues } from "@backup/fleet";
import type { Options } from "yargs";
import type { CommandContext } from "../commands/subcommand.js";
import { spanOf } from "./span.js";

export interface QueueArguments {
  readonly queue?: string | undefined;
  readonly queueSecret?: string | undefined;
  readonly queueCa?: string | undefined;
  readonly wait?: string | undefined;
}

/** Where the queue is. */
export const QUEUE_OPTIONS = {
  queue: {
    type: "string",
    requiresArg: true,
    describe: "Redis or Valkey: redis://[user@]host[:port][/database], or rediss:// for TLS; default BACKUP_QUEUE",
  },
  "queue-secret": {
    type: "string",
    requiresArg: true,
    describe: "File with its password, an absolute path; default /backup/HOST.password, if that is there",
  },
  "queue-ca": { type: "string", requiresArg: true, describe: "File of certificates to trust besides the system's" },
  wait: { type: "string", requiresArg: true, describe: "Go on to try for so long where it is not there yet, as 5m" },
} as const satisfies Record<string, Options>;

type Fleet = typeof import("@backup/fleet");

/** The package, which is installed by those who need it. @throws BackupError USAGE */
async function loadFleet(): Promise<Fleet> {
  try {
    return await import("@backup/fleet");
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    const message = "backup fleet needs the package @backup/fleet, which is not installed; npm install @backup/fleet";
    throw new BackupError("USAGE", message, { cause: error });
  }
}

export interface OpenQueue extends AsyncDisposable {
  readonly fleet: Fleet;
  readonly queues: Queues;
  /** What went wrong on the way to it, for a person. */
  readonly explain: (error: unknown) => BackupError;
}

/**
 * Connects to the queue that is asked for.
 * @throws BackupError USAGE, SECRET_MISSING, CONNECTION_REFUSED and as connectQueue
 */
export async function openQueue(args: QueueArguments, context: CommandContext): Promise<OpenQueue> {
  const { env, signal } = context;
  const text = args.queue ?? env["BACKUP_QUEUE"];
  if (!text) throw new BackupError("USAGE", "say where the queue is: --queue redis://host, or BACKUP_QUEUE");
  const patienceMs = args.wait === undefined ? 0 : spanOf("--wait", args.wait);
  const fleet = await loadFleet();
  const place = fleet.parseQueue(text);
  const password = await passwordOf(args, place.host, context);
  const redis = await fleet.connectQueue({ place, password, tlsCa: args.queueCa, patienceMs }, signal);
  const queues = new fleet.Queues(redis);
  return {
    fleet,
    queues,
    explain: (error) => fleet.queueError(error, place),
    async [Symbol.asyncDispose]() {
      await queues[Symbol.asyncDispose]();
      redis.disconnect();
    },
  };
}

/** Many a queue asks for none. */
async function passwordOf(
  { queueSecret: parameter }: QueueArguments,
  partner: string,
  { secrets: directory }: CommandContext,
) {
  const onEvent = (event: { readonly type: string; readonly message?: string }): void => {
    if (event.type === "warning") process.stderr.write(`warning: ${event.message ?? ""}\n`);
  };
  try {
    return await findSecret({
      parameter,
      option: "--queue-secret",
      partner,
      extensions: [".password"],
      directory,
      onEvent,
    });
  } catch (error) {
    if (error instanceof BackupError && error.code === "SECRET_MISSING" && parameter === undefined) return undefined;
    throw error;
  }
}
