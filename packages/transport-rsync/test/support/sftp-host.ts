import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { Readable, Writable } from "node:stream";
import { BackupError } from "@backup/core";
import type { SFTPWrapper } from "ssh2";
import type { Connection, Host } from "../../src/connection.js";
import { sftpOverStream } from "../../src/sftp-over-stream.js";

export interface SftpHostOptions {
  /** Home of the account. */
  readonly home: string;
  /** Extensions that the server shall not offer. */
  readonly without?: readonly string[];
  readonly program?: readonly [string, ...string[]];
  /** Milliseconds that pass until what one side says reaches the other. */
  readonly delayMs?: number;
  /** Called with what is sent to the server, before it gets there. */
  readonly onSend?: (chunk: Buffer) => void;
  /** Fails attempts to connect. */
  readonly refuse?: (attempt: number) => BackupError | undefined;
}

/** A host whose SFTP is a bare sftp-server of this machine. */
export interface SftpHost extends Host, AsyncDisposable {
  /** Connections made so far. */
  readonly connections: () => number;
  /** Kills the server of the current connection. */
  kill(signal?: NodeJS.Signals): void;
}

export const ALL = ["posix-rename@openssh.com", "hardlink@openssh.com", "fsync@openssh.com", "statvfs@openssh.com"];

export function sftpHost(options: SftpHostOptions): SftpHost {
  const { home, without = [], program = ["/usr/lib/openssh/sftp-server"], delayMs = 0, onSend } = options;
  const children = new Set<ChildProcessByStdio<Writable, Readable, null>>();
  let connections = 0;
  let attempts = 0;
  return {
    name: "nas",
    by: "OpenSSH",
    isPinned: async () => true,
    connections: () => connections,
    kill(signal = "SIGKILL") {
      for (const child of children) child.kill(signal);
    },
    async connect(_options, given): Promise<Connection> {
      given.throwIfAborted();
      const refusal = options.refuse?.(++attempts);
      if (refusal) throw refusal;
      connections++;
      const [command, ...args] = program;
      const child = spawn(command, args, { cwd: home, stdio: ["pipe", "pipe", "inherit"] });
      children.add(child);
      const lost = new AbortController();
      child.once("exit", () => {
        children.delete(child);
        lost.abort(new BackupError("CONNECTION_LOST", "the connection to nas was lost", { transient: true }));
      });
      return {
        lost: lost.signal,
        shell: undefined,
        async sftp(signal) {
          const output = delayed(child.stdin, delayMs, onSend);
          const input = delayMs === 0 ? child.stdout : delayedInput(child.stdout, delayMs);
          const sftp = await sftpOverStream({ host: "nas", input, output }, signal);
          const offered = sftp as SFTPWrapper & { readonly _extensions: Record<string, string> };
          for (const name of without) delete offered._extensions[name];
          return sftp;
        },
        async [Symbol.asyncDispose]() {
          if (child.exitCode !== null || child.signalCode !== null) return;
          child.kill("SIGKILL");
          await once(child, "exit");
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
    },
  };
}

function delayed(to: Writable, delayMs: number, onSend: ((chunk: Buffer) => void) | undefined): Writable {
  if (delayMs === 0 && !onSend) return to;
  const through = new Writable({
    write(chunk: Buffer, _encoding, done) {
      onSend?.(chunk);
      if (delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), delayMs);
      done();
    },
    final(done) {
      setTimeout(() => to.end(done), delayMs);
    },
  });
  to.on("error", () => {});
  return through;
}

function delayedInput(from: Readable, delayMs: number): Readable {
  const through = new Readable({ read() {} });
  from.on("data", (chunk: Buffer) => void setTimeout(() => through.push(chunk), delayMs));
  from.on("end", () => void setTimeout(() => through.push(null), delayMs));
  return through;
}
