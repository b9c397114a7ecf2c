import { type BackupError, type CommandLine, type Dump, type Unavailable, escapeName } from "@backup/core";
import { failureOf, missing } from "./complaint.js";
import type { Machine, RunOptions } from "./machine.js";

/** A directory of the backup. */
export interface FoundDirectory {
  readonly path: string;
  readonly dumps: readonly Dump[];
  /** Equal ones at two times: nothing changed between them. Undefined: that cannot be told cheaply. */
  readonly fingerprint?: string | undefined;
}

/** What a backup will have, by its directories, and what it does without. */
export class Findings {
  readonly #fingerprints = new Map<string, string>();
  readonly #dumps = new Map<string, Map<string, Dump>>();
  readonly #failures: Unavailable[] = [];

  /** In the order in which they were found. */
  get directories(): readonly FoundDirectory[] {
    return Array.from(this.#dumps, ([path, dumps]) => {
      return { path, dumps: [...dumps.values()], fingerprint: this.#fingerprints.get(path) };
    });
  }

  get failures(): readonly Unavailable[] {
    return this.#failures;
  }

  /** A small file whose bytes are known. */
  addText(directory: string, fileName: string, text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? Buffer.from(text) : text;
    const produce = async function* () {
      yield bytes;
    };
    this.#add(directory, fileName, { size: bytes.byteLength, produce });
  }

  /** A file that a program prints. */
  addProgram(directory: string, fileName: string, program: PrintedBy): void {
    this.#add(directory, fileName, { produce: () => printedBy(program) });
  }

  setFingerprint(directory: string, fingerprint: string): void {
    this.#fingerprints.set(directory, fingerprint);
  }

  fail(name: string, error: BackupError): void {
    this.#failures.push({ name, error });
  }

  #add(directory: string, fileName: string, dump: Pick<Dump, "size" | "produce">): void {
    const there = this.#dumps.get(directory) ?? new Map<string, Dump>();
    this.#dumps.set(directory, there.set(fileName, { ...splitName(fileName), ...dump }));
  }
}

export interface PrintedBy extends RunOptions {
  readonly machine: Machine;
  readonly command: CommandLine;
  /** What a person is told where it fails. @param why "" where the program said nothing */
  readonly explain: (why: string, status: number) => string;
}

async function* printedBy({ machine, command, accept, explain }: PrintedBy): AsyncGenerator<Uint8Array> {
  await using running = await machine.start(command, { accept });
  try {
    yield* running.stdout as AsyncIterable<Uint8Array>;
    const { status } = await running.wait();
    if (status !== 0) throw missing(explain("", status));
  } catch (error) {
    const failure = failureOf(error);
    throw failure ? missing(explain(failure.why, 1), error) : error;
  }
}

/** Where files of the system are, by their paths. */
export const FILES = "files";

/** What the directory of a file of the system is called in the backup. @param path absolute */
export function directoryOf(path: string): string {
  return [FILES, ...path.split("/").slice(1, -1).map(escapeName)].join("/");
}

export function fileNameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `smb.conf`: a name, and an extension where it is one of small letters and digits. */
function splitName(fileName: string): Pick<Dump, "name" | "extension"> {
  const [, name = fileName, extension = ""] = /^(.+?)((?:\.tar)?\.[a-z0-9]+)$/s.exec(fileName) ?? [];
  return { name, extension };
}
