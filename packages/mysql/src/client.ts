import { BackupError, ProgramExit, type RunningProgram, type Secret, isBackupError, scrub } from "@backup/core";
import { clientError, complaintOf } from "./client-error.js";
import { MISSING, type Machine } from "./machine.js";
import { type Access, type Flavour, optionFile } from "./option-file.js";
import { nameOfServer } from "./server.js";

/** The programs that there are for a task, the best first. */
const PROGRAMS = { query: ["mariadb", "mysql"], dump: ["mariadb-dump", "mysqldump"] } as const;

export type Task = keyof typeof PROGRAMS;

/** A client program, and of which family it is. */
export interface Client {
  readonly program: string;
  readonly flavour: Flavour;
}

/** The client programs of a server, run where it is reached from. */
export class MysqlClients {
  readonly #machine: Machine;
  readonly #access: Access;
  readonly #found = new Map<Task, Promise<Client>>();

  constructor(machine: Machine, access: Access) {
    this.#machine = machine;
    this.#access = access;
  }

  /** What a person calls the server. */
  get server(): string {
    return `${nameOfServer(this.#access.server)}${this.#machine.at}`;
  }

  /** @throws BackupError PROGRAM_MISSING */
  async start(task: Task, args: (client: Client) => readonly string[]): Promise<Started> {
    const client = await this.find(task);
    const options = optionFile(this.#access, client.flavour);
    const running = await this.#machine.start(client.program, args(client), options);
    // How the program ended says more than a broken pipe.
    running.stdin.on("error", () => {});
    return new Started(client.program, running, this.#access.password);
  }

  /** The program for a task. @throws BackupError PROGRAM_MISSING where there is none */
  find(task: Task): Promise<Client> {
    const found = this.#found.get(task) ?? this.#find(task);
    this.#found.set(task, found);
    return found;
  }

  async #find(task: Task): Promise<Client> {
    const programs = PROGRAMS[task];
    for (const program of programs) {
      const version = await this.#versionOf(program);
      if (version !== undefined) return { program, flavour: /mariadb/i.test(version) ? "mariadb" : "mysql" };
    }
    throw new BackupError(
      "PROGRAM_MISSING",
      `there is neither ${programs.join(" nor ")}${this.#machine.at || " on the PATH"}; install the client programs (mariadb-client)`,
    );
  }

  /** Undefined: there is no such program. */
  async #versionOf(program: string): Promise<string | undefined> {
    try {
      await using running = await this.#machine.start(program, ["--version"], "");
      const started = new Started(program, running, undefined);
      running.stdin.on("error", () => {});
      running.stdin.end();
      const text = await textOf(running);
      const failure = await started.failure();
      if (failure?.status === MISSING) return undefined;
      if (failure) throw clientError(`${program}${this.#machine.at} cannot be run`, failure, "PROGRAM_FAILED");
      return text;
    } catch (error) {
      if (isBackupError(error, "PROGRAM_MISSING") && this.#machine.at === "") return undefined;
      throw error;
    }
  }
}

/** Why a program failed. */
export interface Failure {
  readonly complaint: string | undefined;
  readonly why: string;
  readonly status: number | null;
}

/** A client program that runs. */
export class Started implements AsyncDisposable {
  readonly program: string;
  readonly running: RunningProgram;
  readonly #password: Secret | undefined;

  constructor(program: string, running: RunningProgram, password: Secret | undefined) {
    this.program = program;
    this.running = running;
    this.#password = password;
  }

  /** Waits for its end; undefined: it did all. @throws BackupError ABORTED */
  async failure(): Promise<Failure | undefined> {
    try {
      await this.running.wait();
      return undefined;
    } catch (error) {
      const exit = error instanceof BackupError ? error.cause : undefined;
      if (!(exit instanceof ProgramExit)) throw error;
      const { status, signal } = exit;
      const stderr = this.#password ? scrub(exit.stderr, [this.#password]) : exit.stderr;
      const why = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
      return { complaint: signal === null ? complaintOf(stderr) : undefined, why: `${this.program} ${why}`, status };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
  }
}

export async function textOf({ stdout }: Pick<RunningProgram, "stdout">): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stdout as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}
