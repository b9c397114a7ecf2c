import { BackupError, throwIfAborted } from "@backup/core";
import { clientError } from "./client-error.js";
import type { Client, MysqlClients } from "./client.js";
import { WholeDump } from "./whole-dump.js";

/** What of a database is dumped. */
export type Part =
  /** All of it, with the statement that makes it. */
  | { readonly kind: "whole" }
  /** One table with its triggers. */
  | { readonly kind: "table"; readonly table: string }
  /** What is in no table: views, routines and events. */
  | { readonly kind: "rest"; readonly views: readonly string[] };

export interface DumpRequest {
  readonly clients: MysqlClients;
  readonly database: string;
  readonly part: Part;
  /** Of the dump program, before it is ended: it waits for a lock, or its server is gone. Milliseconds. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/**
 * One point in time for tables with transactions; equal data gives equal bytes; every text and every byte comes back as
 * it was.
 */
const OPTIONS = [
  "--single-transaction",
  "--quick",
  "--hex-blob",
  "--skip-dump-date",
  "--no-tablespaces",
  "--default-character-set=utf8mb4",
];
/** Of MySQL: a dump restores data, not the place in a replication, nor what the optimizer has learned. */
const MYSQL_OPTIONS = ["--loose-set-gtid-purged=OFF", "--loose-column-statistics=0"];

/**
 * The bytes that the dump program writes. They are all when the program says so twice: by its exit status and by its last
 * line.
 * @throws BackupError instead of the end, for this dump alone
 */
export async function* dumpOf({ clients, database, part, silenceMs, signal }: DumpRequest): AsyncGenerator<Uint8Array> {
  const what = `${part.kind === "table" ? `${database}.${part.table}` : database} could not be dumped`;
  const whole = new WholeDump();
  await using started = await clients.start("dump", (client) => argumentsFor(client, database, part));
  started.running.stdin.end();
  const pieces = started.running.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (;;) {
    const next = await withinSilence(pieces.next(), silenceMs, signal);
    throwIfAborted(signal);
    if (next === undefined)
      throw new BackupError(
        "TIMEOUT",
        `${what}: ${started.program} was silent for ${silenceMs / 1000} seconds and was ended; something may hold a lock ` +
          "(SHOW PROCESSLIST), or see --timeout",
        { transient: true },
      );
    if (next.done) break;
    whole.see(next.value);
    yield next.value;
  }
  const failure = await started.failure();
  if (failure) throw clientError(what, failure);
  if (whole.isWhole) return;
  throw new BackupError("ITEM_UNREADABLE", `${what}: ${started.program} did not say that its dump is complete`);
}

function argumentsFor({ flavour }: Client, database: string, part: Part): readonly string[] {
  const options = [...OPTIONS, ...(flavour === "mysql" ? MYSQL_OPTIONS : [])];
  const code = ["--routines", "--events"];
  if (part.kind === "whole") return [...options, ...code, "--triggers", "--databases", "--", database];
  if (part.kind === "table") return [...options, "--triggers", "--", database, part.table];
  // Without a name it would be all tables; and of those there is to be nothing.
  const nothing = part.views.length > 0 ? [] : ["--no-create-info", "--no-data"];
  return [...options, ...code, "--skip-triggers", ...nothing, "--", database, ...part.views];
}

/** Undefined: nothing came for so long, or the signal fired. */
async function withinSilence<T>(next: Promise<T>, ms: number, signal: AbortSignal): Promise<T | undefined> {
  const { promise: over, resolve } = withResolver();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", resolve, { once: true });
  if (signal.aborted) resolve();
  try {
    return await Promise.race([next, over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", resolve);
  }
}

function withResolver(): { readonly promise: Promise<undefined>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<undefined>((settle) => {
    resolve = () => settle(undefined);
  });
  return { promise, resolve };
}
