import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BackupError, type ProgramRunner, isBackupError, throwIfAborted } from "@backup/core";
import { clientError } from "./client-error.js";
import type { MysqlClients } from "./client.js";
import { type Compression, openDecompressor } from "./compression.js";
import { filtered } from "./filtered.js";
import { WholeDump } from "./whole-dump.js";

export interface FeedRequest {
  readonly clients: MysqlClients;
  readonly runner: ProgramRunner;
  readonly file: string;
  readonly compression: Compression;
  /** What its statements are for; undefined: they say it themselves. */
  readonly database?: string | undefined;
  /** Goes on after a statement that fails, and says nothing of it. */
  readonly force?: boolean | undefined;
  /** For messages. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** Has the client program run the statements of a dump. What it was told to do on this machine it does not. */
export async function feed(request: FeedRequest): Promise<void> {
  const { clients, runner, compression, database, force, what, signal } = request;
  const whole = new WholeDump();
  const decompressor = await openDecompressor(compression, runner);
  const bytes = filtered(createReadStream(request.file), decompressor);
  const options = [
    "--batch",
    "--no-auto-rehash",
    "--binary-mode",
    "--loose-sandbox",
    "--loose-skip-system-command",
    ...(force ? ["--force"] : []),
    ...(database === undefined ? [] : [`--database=${database}`]),
  ];
  await using started = await clients.start("query", () => options);
  started.running.stdout.resume();
  let broken: unknown;
  await pipeline(Readable.from(watched(bytes, whole), { objectMode: false }), started.running.stdin, { signal }).catch(
    (error: unknown) => {
      broken = error;
    },
  );
  throwIfAborted(signal);
  // What could not be read must not look like an end: the statements before it have been run.
  if (isBackupError(broken)) throw new BackupError(broken.code, `${what}: ${broken.message}`, { cause: broken });
  const failure = await started.failure();
  if (force) return;
  if (failure) throw clientError(what, failure, "ITEM_REFUSED");
  if (broken !== undefined || !whole.isWhole)
    throw new BackupError("ITEM_UNREADABLE", `${what}: its dump is not whole`);
}

async function* watched(bytes: AsyncIterable<Uint8Array>, whole: WholeDump): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    whole.see(piece);
    yield piece;
  }
}
