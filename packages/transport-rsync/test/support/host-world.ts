import { mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type BackupEvent, BackupError, isBackupError } from "@backup/core";
import type { SFTPWrapper } from "ssh2";
import type { Sshd } from "../../../../test/support/sshd.js";
import type { Connection } from "../../src/connection.js";
import type { HostOptions } from "../../src/host-options.js";
import { openHost } from "../../src/open-host.js";

export const LIBRARIES = ["OpenSSH", "ssh2"] as const;
export type Library = (typeof LIBRARIES)[number];

/** A client of a test server, with directories of its own. */
export interface World {
  readonly events: BackupEvent[];
  readonly secrets: string;
  /** The options that `open` starts from. */
  readonly options: HostOptions;
  /** Connects; the given options replace the usual ones. */
  connect(given?: Partial<HostOptions>, signal?: AbortSignal): Promise<Connection>;
  /** The error of a connection that must fail. */
  failure(given?: Partial<HostOptions>): Promise<BackupError>;
  /** What is left of the directories for sockets and keys. */
  leftovers(): Promise<readonly string[]>;
}

export const never: AbortSignal = new AbortController().signal;

export async function makeWorld(sshd: Sshd, library: Library): Promise<World> {
  const secrets = await mkdtemp(join(sshd.directory, "secrets-"));
  const temporary = await mkdtemp(join(sshd.directory, "t-"));
  const events: BackupEvent[] = [];
  const options: HostOptions = {
    remote: { user: sshd.user, host: sshd.host, directory: "" },
    port: sshd.port,
    knownHosts: sshd.knownHosts,
    identity: { file: sshd.identity },
    secretsDirectory: secrets,
    env: {
      PATH: library === "ssh2" ? join(secrets, "no-programs") : process.env.PATH,
      HOME: secrets,
      TMPDIR: temporary,
    },
    onEvent: (event) => void events.push(event),
    timeoutMs: 10_000,
  };
  const connect = async (given: Partial<HostOptions> = {}, signal: AbortSignal = never): Promise<Connection> => {
    const host = await openHost({ ...options, ...given });
    if (given.sshConfig === undefined && host.by !== library) throw new Error(`connected by ${host.by}`);
    return host.connect({ compress: false }, signal);
  };
  return {
    events,
    secrets,
    options,
    connect,
    async failure(given) {
      const error: unknown = await connect(given).then(
        (connection) => connection[Symbol.asyncDispose](),
        (reason: unknown) => reason,
      );
      if (isBackupError(error)) return error;
      throw new Error("no BackupError", { cause: error });
    },
    leftovers: () => readdir(temporary),
  };
}

export function names(sftp: SFTPWrapper, directory: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    sftp.readdir(directory, (error, entries) => (error ? reject(error) : resolve(entries.map((one) => one.filename))));
  });
}
