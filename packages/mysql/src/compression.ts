import { type Readable, PassThrough } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { BackupError, type ProgramRunner, isBackupError } from "@backup/core";

/** How dumps are compressed. */
export type Compression = "gzip" | "zstd" | "none";

export const COMPRESSIONS: readonly Compression[] = ["gzip", "zstd", "none"];

const EXTENSIONS: Readonly<Record<Compression, string>> = { gzip: ".gz", zstd: ".zst", none: "" };

export function extensionOf(compression: Compression): string {
  return EXTENSIONS[compression];
}

export function compressionOf(extension: string): Compression {
  return COMPRESSIONS.find((one) => one !== "none" && extension.endsWith(EXTENSIONS[one])) ?? "none";
}

/** Bytes go in and come out; `end` says whether all of them did. */
export interface Filter extends AsyncDisposable {
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: Readable;
  /** @throws BackupError */
  end(): Promise<void>;
}

/** Opens one filter after the other. @throws BackupError PROGRAM_MISSING without zstd(1) */
export type Compressor = () => Promise<Filter>;

/**
 * Compresses: equal bytes become equal ones, and a change of some of them changes the result near them alone where the
 * program gzip(1) or zstd(1) has --rsyncable. Without gzip(1) it is done here, and a change changes all that follows it.
 */
export function compressor(compression: Compression, runner: ProgramRunner): Compressor {
  if (compression === "none") return async () => passing(new PassThrough());
  if (compression === "zstd") return () => byProgram(runner, ["zstd", "-q", "-c", "-T1", "--rsyncable"]);
  let isRsyncable: Promise<boolean> | undefined;
  return async () => {
    isRsyncable ??= hasRsyncable(runner);
    return (await isRsyncable) ? await byProgram(runner, ["gzip", "-n", "-c", "--rsyncable"]) : passing(createGzip());
  };
}

/** @throws BackupError PROGRAM_MISSING without zstd(1) */
export async function openDecompressor(compression: Compression, runner: ProgramRunner): Promise<Filter> {
  if (compression === "none") return passing(new PassThrough());
  return compression === "gzip" ? passing(createGunzip()) : await byProgram(runner, ["zstd", "-d", "-q", "-c"]);
}

async function hasRsyncable(runner: ProgramRunner): Promise<boolean> {
  try {
    const { stdout } = await runner.run(["gzip", "--help"], { accept: [1] });
    return stdout.includes("--rsyncable");
  } catch (error) {
    if (isBackupError(error, "PROGRAM_MISSING")) return false;
    throw error;
  }
}

async function byProgram(runner: ProgramRunner, command: readonly [string, ...string[]]): Promise<Filter> {
  const program = await runner.start(command);
  return {
    stdin: program.stdin,
    stdout: program.stdout,
    async end() {
      await program.wait();
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

function passing(stream: PassThrough | ReturnType<typeof createGzip>): Filter {
  return {
    stdin: stream,
    stdout: stream,
    end: async () => {
      if (stream.errored) throw new BackupError("ITEM_UNREADABLE", stream.errored.message, { cause: stream.errored });
    },
    async [Symbol.asyncDispose]() {
      stream.destroy();
    },
  };
}
