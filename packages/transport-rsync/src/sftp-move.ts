import { BackupError, type Move, throwIfAborted } from "@backup/core";
import { STATUS, type SftpCalls, unless, unlessRefused } from "./sftp-calls.js";
import { directorySync } from "./sftp-directory.js";
import { MANY, replace } from "./sftp-files.js";
import { inFlight } from "./sftp-in-flight.js";
import { folderOf } from "./sftp-root.js";

/** Moves by the server's paths, and how far they are. */
export class MoveQueue {
  readonly #where: string;
  readonly #runs: readonly (readonly Move[])[];
  readonly #durable = new Set<readonly Move[]>();

  constructor(moves: readonly Move[], where: string) {
    this.#where = where;
    this.#runs = independentRuns(moves);
  }

  /**
   * Does what is not done yet; after a lost connection, again. One that was done and not answered is known by its
   * missing `from`: nothing that could bring it back was sent before all answers were here.
   * @throws BackupError NOT_FOUND
   */
  async run(sftp: SftpCalls, signal: AbortSignal): Promise<void> {
    for (const moves of this.#runs) {
      if (this.#durable.has(moves)) continue;
      throwIfAborted(signal);
      // All of them again where the connection was lost: a host that went down may have forgotten what it answered.
      await inFlight(moves, { limit: MANY, signal }, (move) => this.#move(sftp, move));
      const directories = new Set(moves.flatMap(({ from, to }) => [folderOf(from), folderOf(to)]));
      await directorySync(sftp, directories).finish();
      this.#durable.add(moves);
    }
  }

  async #move(sftp: SftpCalls, { from, to }: Move): Promise<void> {
    if (await unlessRefused([STATUS.NO_SUCH_FILE], replace(sftp, from, to))) return;
    if (await unless([STATUS.NO_SUCH_FILE], sftp.lstat(to))) return;
    throw new BackupError("NOT_FOUND", `${this.#where}: ${from} vanished while the run went on; run again`, {
      transient: true,
    });
  }
}

/**
 * Cuts the list where a move names a path that one since the last cut has named: within a part they are independent,
 * so that they may all be in flight and one that fails does no harm by the others.
 */
function independentRuns(moves: readonly Move[]): readonly (readonly Move[])[] {
  const runs: Move[][] = [];
  const named = new Set<string>();
  let current: Move[] | undefined;
  for (const move of moves) {
    if (!current || named.has(move.from) || named.has(move.to)) {
      named.clear();
      current = [];
      runs.push(current);
    }
    current.push(move);
    named.add(move.from).add(move.to);
  }
  return runs;
}
