import type { FileEntryWithStats, InputAttributes, SFTPWrapper, Stats } from "ssh2";

/** Flags of SSH_FXP_OPEN, draft-ietf-secsh-filexfer-02 section 6.3. */
export const OPEN = { READ: 0x01, WRITE: 0x02, CREATE: 0x08, TRUNCATE: 0x10, EXCLUSIVE: 0x20 } as const;

/** Status codes, section 7 of the same. */
export const STATUS = { EOF: 1, NO_SUCH_FILE: 2, PERMISSION_DENIED: 3, FAILURE: 4, UNSUPPORTED: 8 } as const;

/** The server's refusal of one request. */
export class SftpStatus extends Error {
  override readonly name = "SftpStatus";
  readonly status: number;
  /** What was asked for: `open`. */
  readonly operation: string;
  readonly path: string;

  constructor(status: number, text: string, { operation, path }: { operation: string; path: string }) {
    super(text);
    this.status = status;
    this.operation = operation;
    this.path = path;
  }
}

/** What the server can do beyond version 3 of the protocol. */
export interface Offers {
  readonly posixRename: boolean;
  readonly hardlink: boolean;
  readonly fsync: boolean;
  readonly statvfs: boolean;
  /** The time of a symbolic link can be set. */
  readonly lsetstat: boolean;
}

/** What is asked of a file system about its room. */
export interface Room {
  /** Bytes that this user may still write. */
  readonly bytes: number;
  /** Files that may still be made; undefined: it has no such limit. */
  readonly files: number | undefined;
}

export interface Handle {
  readonly id: Buffer;
  /** For messages. */
  readonly path: string;
}

type Callback = (error: Error | null | undefined, ...values: readonly unknown[]) => void;

/**
 * The requests of one SFTP session as promises. Each is sent at once, in the order of the calls; many may be in flight.
 * They reject with SftpStatus, or with what `end` was given.
 */
export class SftpCalls {
  readonly offers: Offers;
  /** Handles that may be open at a time: what the server says, or a number that every server is good for. */
  readonly handles: number;
  readonly #sftp: SFTPWrapper;
  readonly #lose: (cause: Error) => void;
  readonly #waiting = new Set<(reason: Error) => void>();
  #ended: Error | undefined;
  #heardAt = performance.now();

  /** @param lose is told when ssh2 says that no answer can come any more; it calls `end` */
  constructor(sftp: SFTPWrapper, lose: (cause: Error) => void) {
    this.#sftp = sftp;
    this.#lose = lose;
    const { _extensions: extensions = {}, maxOpenHandles } = sftp as SftpInternals;
    const offers = (name: string, version: string): boolean => extensions[name] === version;
    this.offers = {
      posixRename: offers("posix-rename@openssh.com", "1"),
      hardlink: offers("hardlink@openssh.com", "1"),
      fsync: offers("fsync@openssh.com", "1"),
      statvfs: offers("statvfs@openssh.com", "2"),
      lsetstat: offers("lsetstat@openssh.com", "1"),
    };
    // Half of them: more than one task may be at work.
    this.handles = Math.max(8, Math.min(512, Math.floor((maxOpenHandles ?? 128) / 2)));
  }

  /** How long the server has owed an answer without sending any, milliseconds. */
  get silentMs(): number {
    return this.#waiting.size === 0 ? 0 : performance.now() - this.#heardAt;
  }

  /** Rejects what waits for an answer, and every later call. */
  end(reason: Error): void {
    this.#ended ??= reason;
    for (const reject of this.#waiting) reject(this.#ended);
    this.#waiting.clear();
  }

  /** Makes the file 0600 where the flags make one. */
  async open(path: string, flags: number): Promise<Handle> {
    const id = await this.#call<Buffer>("open", path, (done) => this.#sftp.open(path, flags, { mode: 0o600 }, done));
    return { id, path };
  }

  /** Bytes read, at most `length`; 0 at the end of the file. */
  read({ id, path }: Handle, into: Buffer, length: number, position: number): Promise<number> {
    return this.#call("read", path, (done) => this.#sftp.read(id, into, 0, length, position, done));
  }

  /** One request: at most 32 KiB, which every server takes. */
  async write({ id, path }: Handle, bytes: Uint8Array, position: number): Promise<void> {
    // ssh2 sends nothing for no bytes.
    if (bytes.byteLength === 0) return;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await this.#call("write", path, (done) => this.#sftp.write(id, buffer, 0, buffer.length, position, done));
  }

  fstat({ id, path }: Handle): Promise<Stats> {
    return this.#call("fstat", path, (done) => this.#sftp.fstat(id, done));
  }

  fsetstat({ id, path }: Handle, attributes: InputAttributes): Promise<void> {
    return this.#call("fsetstat", path, (done) => this.#sftp.fsetstat(id, attributes, done));
  }

  setstat(path: string, attributes: InputAttributes): Promise<void> {
    return this.#call("setstat", path, (done) => this.#sftp.setstat(path, attributes, done));
  }

  lstat(path: string): Promise<Stats> {
    return this.#call("lstat", path, (done) => this.#sftp.lstat(path, done));
  }

  /** setstat of a symbolic link itself. */
  lsetstat(path: string, attributes: InputAttributes): Promise<void> {
    return this.#call("lsetstat", path, (done) => this.#sftp.ext_openssh_lsetstat(path, attributes, done));
  }

  /** Absolute, and without symbolic links as far as it is there. */
  realpath(path: string): Promise<string> {
    return this.#call("realpath", path, (done) => this.#sftp.realpath(path, done));
  }

  /** Where a symbolic link points to. */
  readlink(path: string): Promise<string> {
    return this.#call("readlink", path, (done) => this.#sftp.readlink(path, done));
  }

  /** Paths in the order in which they are sent. Servers do not agree which of the two is the link: see SftpLinks. */
  symlink(first: string, second: string): Promise<void> {
    // ssh2 exchanges them for servers that it takes for OpenSSH's.
    const isExchanged = (this.#sftp as SftpInternals)._isOpenSSH === true;
    const [target, link] = isExchanged ? [first, second] : [second, first];
    return this.#call("symlink", second, (done) => this.#sftp.symlink(target, link, done));
  }

  async opendir(path: string): Promise<Handle> {
    return { id: await this.#call<Buffer>("opendir", path, (done) => this.#sftp.opendir(path, done)), path };
  }

  /** Some more entries; rejects with EOF when there are none. */
  readdir({ id, path }: Handle): Promise<readonly FileEntryWithStats[]> {
    return this.#call("readdir", path, (done) => this.#sftp.readdir(id, done));
  }

  mkdir(path: string): Promise<void> {
    return this.#call("mkdir", path, (done) => this.#sftp.mkdir(path, { mode: 0o700 }, done));
  }

  rmdir(path: string): Promise<void> {
    return this.#call("rmdir", path, (done) => this.#sftp.rmdir(path, done));
  }

  unlink(path: string): Promise<void> {
    return this.#call("unlink", path, (done) => this.#sftp.unlink(path, done));
  }

  /** SSH_FXP_RENAME: by the protocol, refused where there is a file at `to`; some servers replace it all the same. */
  rename(from: string, to: string): Promise<void> {
    return this.#call("rename", from, (done) => this.#sftp.rename(from, to, done));
  }

  /** rename(2): replaces. */
  posixRename(from: string, to: string): Promise<void> {
    return this.#call("rename", from, (done) => this.#sftp.ext_openssh_rename(from, to, done));
  }

  hardlink(from: string, to: string): Promise<void> {
    return this.#call("hardlink", from, (done) => this.#sftp.ext_openssh_hardlink(from, to, done));
  }

  fsync({ id, path }: Handle): Promise<void> {
    return this.#call("fsync", path, (done) => this.#sftp.ext_openssh_fsync(id, done));
  }

  async statvfs(path: string): Promise<Room> {
    const room = await this.#call<Partial<Record<string, number>>>("statvfs", path, (done) =>
      this.#sftp.ext_openssh_statvfs(path, done),
    );
    const { f_bavail: blocks = 0, f_frsize: size = 0, f_files: total = 0, f_favail: files = 0 } = room;
    return { bytes: blocks * size, files: total > 0 ? files : undefined };
  }

  close({ id, path }: Handle): Promise<void> {
    return this.#call("close", path, (done) => this.#sftp.close(id, done));
  }

  #call<T = void>(operation: string, path: string, send: (done: Callback) => void): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#heardAt = performance.now();
      this.#waiting.add(reject);
      send((error, value) => {
        const status = error && "code" in error && typeof error.code === "number" ? error.code : undefined;
        if (error && status === undefined) this.#lose(error);
        // Already rejected by `end`.
        if (!this.#waiting.delete(reject)) return;
        this.#heardAt = performance.now();
        if (!error) resolve(value as T);
        else if (status === undefined) reject(error);
        else reject(new SftpStatus(status, error.message, { operation, path }));
      });
    });
  }
}

/** What ssh2 keeps of the server's greeting and does not declare. */
interface SftpInternals extends SFTPWrapper {
  readonly _extensions?: Readonly<Record<string, string>>;
  readonly maxOpenHandles?: number;
  readonly _isOpenSSH?: boolean;
}

/** The result, or undefined where the server refuses with one of these. */
export async function unless<T>(statuses: readonly number[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof SftpStatus && statuses.includes(error.status)) return undefined;
    throw error;
  }
}

/** Whether it was done, or refused with one of these. */
export async function unlessRefused(statuses: readonly number[], work: Promise<void>): Promise<boolean> {
  return (
    (await unless(
      statuses,
      work.then(() => true as const),
    )) === true
  );
}
