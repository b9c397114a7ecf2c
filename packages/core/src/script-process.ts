import type { Readable } from "node:stream";
import { BackupError } from "./errors.js";
import type { CommandLine, ProgramRunner, RunningProgram } from "./program.js";

/** Longest line of an answer, bytes. */
const LONGEST_LINE = 1024 * 1024;
/** A script may be silent for so long, milliseconds: it may make what it is asked for. */
const SILENCE_MS = 60 * 60 * 1000;
/** What a script does when there is nothing more to read, as to remove what it has made, milliseconds. */
const END_MS = 10_000;

/** A script that is talked to: lines go in, and lines come out. */
export class ScriptProcess implements AsyncDisposable {
  readonly #program: RunningProgram;
  readonly #lines: AsyncGenerator<string>;
  readonly #name: string;
  readonly #silenceMs: number;

  private constructor(program: RunningProgram, name: string, silenceMs: number) {
    this.#program = program;
    this.#name = name;
    this.#silenceMs = silenceMs;
    this.#lines = linesOf(program.stdout, name);
    // How it ended says more than a broken pipe.
    program.stdin.on("error", () => {});
  }

  /** @throws BackupError PROGRAM_MISSING */
  static async start(
    runner: ProgramRunner,
    command: CommandLine,
    { silenceMs = SILENCE_MS }: { readonly silenceMs?: number | undefined } = {},
  ): Promise<ScriptProcess> {
    return new ScriptProcess(await runner.start(command), command.join(" "), silenceMs);
  }

  write(message: object): void {
    this.#program.stdin.write(`${JSON.stringify(message)}\n`);
  }

  endInput(): void {
    this.#program.stdin.end();
  }

  /** The next line; undefined: there is none. @throws BackupError TIMEOUT, PROTOCOL */
  async next(): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_fulfil, reject) => {
      const message = `${this.#name} said nothing for ${this.#silenceMs / 1000} s and was ended`;
      timer = setTimeout(() => reject(new BackupError("TIMEOUT", message)), this.#silenceMs);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), silence]);
      return done ? undefined : value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Its end. @throws BackupError as RunningProgram.wait */
  async wait(): Promise<void> {
    this.endInput();
    this.#program.stdout.resume();
    await this.#program.wait();
  }

  /** Lets it end by itself, which its input's end tells it to do, for a while. @throws BackupError as RunningProgram.wait */
  async end(): Promise<void> {
    const timer = setTimeout(() => void this.#program[Symbol.asyncDispose](), END_MS);
    try {
      await this.wait();
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

async function* linesOf(stream: Readable, name: string): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const piece of stream as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, piece]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield rest.subarray(0, end).toString("utf8");
      rest = rest.subarray(end + 1);
    }
    if (rest.length > LONGEST_LINE)
      throw new BackupError(
        "PROTOCOL",
        `${name} printed a line of more than ${LONGEST_LINE} bytes; see docs/plugins.md`,
      );
  }
  if (rest.length > 0) yield rest.toString("utf8");
}
