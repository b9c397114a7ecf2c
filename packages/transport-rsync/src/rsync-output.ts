import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { BackupError, systemCode } from "@backup/core";

/** How a program ended, and what it printed. */
export interface Ended {
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Null: a signal ended it. */
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
}

/** Bytes of stderr that are kept, of its beginning and of its end each. */
const KEPT = 8 * 1024;

/**
 * Waits until a program has ended and its output is read.
 * @throws BackupError TRANSPORT_MISSING where the program is not there
 */
export async function collectEnd(
  child: ChildProcess,
  program: string,
  { keepOutput = true }: { readonly keepOutput?: boolean } = {},
): Promise<Ended> {
  const pieces: Buffer[] = [];
  let stderr = "";
  if (keepOutput) child.stdout?.on("data", (piece: Buffer) => pieces.push(piece));
  child.stderr?.on("data", (piece: Buffer) => {
    const text = stderr + piece.toString("latin1");
    // The reason is often first, what it led to last; thousands of names may be in between.
    stderr = text.length > 2 * KEPT ? `${text.slice(0, KEPT)}\n${text.slice(-KEPT)}` : text;
  });
  try {
    const [code, killedBy] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return { stdout: Buffer.concat(pieces), stderr: Buffer.from(stderr, "latin1").toString(), code, killedBy };
  } catch (error) {
    const why = systemCode(error) === "ENOENT" ? "is not installed" : `cannot be run (${systemCode(error) ?? "?"})`;
    throw new BackupError(
      "TRANSPORT_MISSING",
      `${program} ${why} on this machine; install it, or use --transport=sftp`,
      { cause: error },
    );
  }
}

/** Reads the lines of `--info=progress2`: each begins with the bytes so far and ends with a carriage return. */
export function watchProgress(stdout: Readable, onProgress: (bytes: number) => void): void {
  let rest = "";
  stdout.on("data", (piece: Buffer) => {
    const lines = (rest + piece.toString("latin1")).split(/[\r\n]/);
    rest = lines.pop() ?? "";
    const last = lines.findLast((line) => /^\s*[\d,]+\s+\d+%/.test(line));
    if (last !== undefined) onProgress(Number.parseInt(last.trim().replaceAll(",", ""), 10));
  });
}
