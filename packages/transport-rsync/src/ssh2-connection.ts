import { once } from "node:events";
import { type BackupError, isBackupError, systemCode, throwIfAborted } from "@backup/core";
import type { Client, ClientChannel, ServerHostKeyAlgorithm } from "ssh2";
import type { Connection } from "./connection.js";
import type { KeyBlob } from "./host-key.js";
import { orAborted } from "./or-aborted.js";
import { noSftp, sftpOverStream } from "./sftp-over-stream.js";
import { type SshContext, type SshFailure, failureOf } from "./ssh-errors.js";
import type { Offer } from "./ssh2-keys.js";

export interface ClientOptions {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly offers: readonly Offer[];
  /** Of the host's key, the preferred one first. */
  readonly algorithms: ServerHostKeyAlgorithm[];
  readonly context: SshContext;
  /** Rejects for a key that is not the host's: then nothing is authenticated. */
  readonly verify: (key: KeyBlob) => Promise<void>;
  readonly onConnecting: (() => void) | undefined;
}

/** Silence after which the connection is asked for a sign of life, and how often before it counts as lost. */
const KEEPALIVE_MS = 15_000;
const KEEPALIVE_COUNT = 4;

/** Connects and authenticates. */
export async function connectClient(options: ClientOptions, signal: AbortSignal): Promise<Client> {
  const { address, port, user, offers, algorithms, context, verify } = options;
  const { default: ssh2 } = await import("ssh2");
  const client = new ssh2.Client();
  // The verdict on the host's key says more than the library's error that follows from it.
  let verdict: unknown;
  let accepted: Buffer | undefined;
  const verifyOnce = async (key: Buffer): Promise<boolean> => {
    // It is asked again whenever the session's keys are renewed.
    if (accepted?.equals(key)) return true;
    try {
      await verify(key);
      accepted = Buffer.from(key);
      return true;
    } catch (error) {
      verdict = error;
      return false;
    }
  };
  try {
    const outcome = new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      client.once("close", () => reject(failureOf("lost", context)));
      client.on("error", (error) => {
        // A dead agent, or one that does not sign: what else is offered may do.
        if (levelOf(error) !== "agent") reject(translate(error, context));
      });
    });
    client.connect({
      host: address,
      port,
      username: user,
      authHandler: [...offers],
      hostVerifier: (key: Buffer, done: (valid: boolean) => void): void => {
        void (async () => done(await verifyOnce(key)))();
      },
      algorithms: {
        serverHostKey: algorithms,
        compress: ["none"],
      },
      readyTimeout: context.timeoutMs,
      keepaliveInterval: Math.min(KEEPALIVE_MS, Math.ceil(context.timeoutMs / KEEPALIVE_COUNT)),
      keepaliveCountMax: KEEPALIVE_COUNT,
    });
    options.onConnecting?.();
    await orAborted(outcome, signal);
    return client;
  } catch (error) {
    client.destroy();
    throw verdict ?? error;
  }
}

export function connectionOf(client: Client, context: SshContext): Connection {
  const lost = new AbortController();
  client.on("error", (error) => lost.abort(transientOf(error, context)));
  client.on("close", () => lost.abort(failureOf("lost", context)));
  return {
    lost: lost.signal,
    shell: undefined,
    async sftp(signal) {
      const either = AbortSignal.any([signal, lost.signal]);
      throwIfAborted(either);
      const channel = await orAborted(openChannel(client, context), either);
      try {
        return await sftpOverStream({ host: context.host, input: channel, output: channel }, either);
      } catch (error) {
        channel.close();
        throwIfAborted(either);
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      if (lost.signal.aborted) return;
      lost.abort(failureOf("lost", context, undefined, "by this side"));
      const closed = once(client, "close");
      client.end();
      // Its farewell is sent; what the other side has to say is of no interest.
      client.destroy();
      await closed;
    },
  };
}

function openChannel(client: Client, context: SshContext): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(failureOf("lost", context));
    client.once("close", gone);
    client.subsys("sftp", (error, channel) => {
      client.off("close", gone);
      if (error) reject(noSftp(context.host, error));
      else {
        channel.stderr.resume();
        resolve(channel);
      }
    });
  });
}

const SOCKET_FAILURES: Readonly<Record<string, SshFailure>> = {
  ENOTFOUND: "unknown",
  EAI_AGAIN: "unknown",
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ETIMEDOUT: "timeout",
};

const LEVEL_FAILURES: Readonly<Record<string, SshFailure>> = {
  "client-dns": "unknown",
  "client-timeout": "timeout",
  "client-authentication": "denied",
};

function translate(error: Error, context: SshContext): BackupError {
  const failure = SOCKET_FAILURES[systemCode(error) ?? ""] ?? LEVEL_FAILURES[levelOf(error) ?? ""];
  if (failure) return failureOf(failure, context, error);
  if (/no matching/i.test(error.message)) return failureOf("algorithms", context, error);
  return failureOf("lost", context, error);
}

/** What ends a connection that was good. */
function transientOf(error: Error, context: SshContext): BackupError {
  const translated = translate(error, context);
  return isBackupError(translated, "TIMEOUT") ? translated : failureOf("lost", context, error);
}

function levelOf(error: Error): string | undefined {
  return "level" in error && typeof error.level === "string" ? error.level : undefined;
}
