import { randomUUID } from "node:crypto";
import { type EventSink, PRIVATE, type Path } from "@backup/core";
import type { SftpCalls } from "./sftp-calls.js";
import type { SftpChannel } from "./sftp-channel.js";
import { explained } from "./sftp-errors.js";
import { type Root, rootOf } from "./sftp-root.js";

/** Where a destination keeps files that are not complete. */
export const TEMPORARY: Path = `${PRIVATE}/tmp`;

/** What all that works on one destination shares. */
export class SftpDestination {
  readonly root: Root;
  /** What a person calls it. */
  readonly where: string;
  readonly #channel: SftpChannel;
  readonly #onEvent: EventSink;
  readonly #prefix = randomUUID();
  #names = 0;
  #isLimitSaid = false;
  #changedAt = -Infinity;

  constructor(
    channel: SftpChannel,
    options: { readonly name: string; readonly directory: string; readonly onEvent: EventSink },
  ) {
    this.#channel = channel;
    this.root = rootOf(options.directory);
    this.where = options.name;
    this.#onEvent = options.onEvent;
  }

  /** Time since something of the user's was changed from here, milliseconds. */
  get quietMs(): number {
    return performance.now() - this.#changedAt;
  }

  /** A name in the directory of temporary files that no file ever had. */
  temporaryName(): string {
    return this.root.at(`${TEMPORARY}/${this.#prefix}-${this.#names++}`);
  }

  /** Runs an idempotent task; the server's refusals come as errors for a person. */
  run<T>(task: (sftp: SftpCalls) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#channel.run(async (sftp) => {
      try {
        return await task(sftp);
      } catch (error) {
        throw await explained(error, sftp, { where: this.where, root: this.root.path, bytes: 0 });
      }
    }, signal);
  }

  /** The same for a task that changes files: it says once what the server lacks for that, and notes the time. */
  async change<T>(task: (sftp: SftpCalls) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await this.run((sftp) => {
        this.#sayLimits(sftp);
        return task(sftp);
      }, signal);
    } finally {
      this.changed();
    }
  }

  changed(): void {
    this.#changedAt = performance.now();
  }

  #sayLimits({ offers }: SftpCalls): void {
    if (this.#isLimitSaid) return;
    this.#isLimitSaid = true;
    const lacks = [
      ...(offers.posixRename
        ? []
        : ["replacing a file in one step (while one is replaced it is missing for a moment)"]),
      ...(offers.hardlink ? [] : ["hard links (copies within it are sent again)"]),
      ...(offers.fsync ? [] : ["writing through to its disk (a power failure there may cost what was just copied)"]),
    ];
    if (lacks.length === 0) return;
    const message = `the SFTP server of ${this.where} does without ${lacks.join(", ")}`;
    this.#onEvent({ type: "warning", code: "SFTP_LIMITED", message });
  }
}
