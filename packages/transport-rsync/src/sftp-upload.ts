import { BackupError, type Path, parentOf } from "@backup/core";
import type { Upload } from "./sender.js";
import { type Handle, OPEN, STATUS, type SftpCalls, unless } from "./sftp-calls.js";
import type { SftpDestination } from "./sftp-destination.js";
import { directorySync } from "./sftp-directory.js";
import { PIECE, attributesOf, replace } from "./sftp-files.js";
import { settleAll } from "./sftp-in-flight.js";
import { missingDirectories } from "./sftp-make.js";
import { folderOf } from "./sftp-root.js";

/** Bytes that are kept here until the server has them. */
const WINDOW = 4 * 1024 * 1024;

/** How long it may take to remove what is of no use, milliseconds. */
const DISCARD_MS = 5000;

interface Piece {
  readonly bytes: Uint8Array;
  readonly position: number;
}

/** The file as one session has it open. */
interface Opened {
  readonly sftp: SftpCalls;
  readonly handle: Handle;
  /** Answers that are awaited, the oldest first. */
  readonly flying: Promise<void>[];
}

/** One large file: after a lost connection it goes on from what the server has confirmed. */
export class SftpUpload implements Upload {
  readonly #destination: SftpDestination;
  readonly #signal: AbortSignal;
  readonly #temporary: string;
  /** Not confirmed, in order. */
  readonly #kept = new Set<Piece>();
  #size = 0;
  #keptBytes = 0;
  #opened: Opened | undefined;
  #isMade = false;

  constructor(destination: SftpDestination, signal: AbortSignal) {
    this.#destination = destination;
    this.#signal = signal;
    this.#temporary = destination.temporaryName();
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; at += PIECE) {
      const piece = { bytes: bytes.subarray(at, at + PIECE), position: this.#size };
      this.#kept.add(piece);
      this.#size += piece.bytes.byteLength;
      this.#keptBytes += piece.bytes.byteLength;
      if (this.#opened) this.#send(this.#opened, piece);
    }
    await this.#change(async (sftp) => {
      const { flying } = await this.#open(sftp);
      while (this.#keptBytes > WINDOW && flying.length > 0) await flying.shift();
    });
  }

  async publish(path: Path, mtime: number): Promise<void> {
    const target = this.#destination.root.at(path);
    let isRenaming = false;
    await this.#change(async (sftp) => {
      // The rename was done, and its answer lost.
      if (isRenaming && !(await unless([STATUS.NO_SUCH_FILE], sftp.lstat(this.#temporary)))) {
        if ((await sftp.lstat(target)).size !== this.#size) throw this.#gone();
        await directorySync(sftp, new Set([folderOf(target)])).finish();
        return;
      }
      // A symbolic link in the place of a directory would lead it out of the destination.
      await missingDirectories(sftp, this.#destination, [parentOf(path)]);
      const { handle, flying } = await this.#open(sftp);
      await settleAll(flying.splice(0));
      const last = [sftp.fsetstat(handle, attributesOf(mtime))];
      if (sftp.offers.fsync) last.push(sftp.fsync(handle));
      await settleAll([...last, sftp.close(handle)]);
      this.#opened = undefined;
      isRenaming = true;
      await replace(sftp, this.#temporary, target);
      await directorySync(sftp, new Set([folderOf(target)])).finish();
    });
  }

  async discard(): Promise<void> {
    this.#kept.clear();
    const { handle } = this.#opened ?? {};
    const from = this.#opened?.sftp;
    try {
      await this.#destination.run(async (sftp) => {
        const closed = handle && sftp === from ? sftp.close(handle) : Promise.resolve();
        await Promise.allSettled([closed, sftp.unlink(this.#temporary)]);
      }, AbortSignal.timeout(DISCARD_MS));
    } catch {
      // What cannot be removed now, the next lease clears.
    }
  }

  /** Bytes from the beginning that the server has said it has. */
  get #confirmed(): number {
    const [first] = this.#kept;
    return first ? first.position : this.#size;
  }

  #gone(): BackupError {
    const message = `${this.#destination.where}: what was uploaded of a large file is gone; run again`;
    return new BackupError("CONNECTION_LOST", message, { transient: true });
  }

  #change(task: (sftp: SftpCalls) => Promise<void>): Promise<void> {
    return this.#destination.change(task, this.#signal);
  }

  /** The file in this session, with all that is kept on its way. */
  async #open(sftp: SftpCalls): Promise<Opened> {
    if (this.#opened?.sftp === sftp) return this.#opened;
    // Made once: what another run has cleared away must not come back with a hole in front.
    const handle = await unless(
      this.#isMade ? [STATUS.NO_SUCH_FILE] : [],
      sftp.open(this.#temporary, this.#isMade ? OPEN.WRITE : OPEN.CREATE | OPEN.WRITE),
    );
    if (!handle) throw this.#gone();
    if (this.#isMade && (await sftp.fstat(handle)).size < this.#confirmed) throw this.#gone();
    this.#isMade = true;
    const opened: Opened = { sftp, handle, flying: [] };
    this.#opened = opened;
    for (const piece of this.#kept) this.#send(opened, piece);
    return opened;
  }

  #send({ sftp, handle, flying }: Opened, piece: Piece): void {
    const sent = sftp.write(handle, piece.bytes, piece.position).then(() => {
      if (this.#kept.delete(piece)) this.#keptBytes -= piece.bytes.byteLength;
    });
    // Awaited later; until then a failure must not count as unhandled.
    sent.catch(() => {});
    flying.push(sent);
  }
}
