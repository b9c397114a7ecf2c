import { readFile } from "node:fs/promises";
import { BackupError, type Secret, systemCode, throwIfAborted } from "@backup/core";
import { Redis, type RedisOptions } from "ioredis";

/** Where the queue is, and as whom. */
export interface QueuePlace {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly user?: string | undefined;
  readonly database: number;
}

/** How to get there. */
export interface QueueAccess {
  readonly place: QueuePlace;
  /** Undefined: it asks for none. */
  readonly password?: Secret | undefined;
  /** Certificates (PEM) to trust besides the system's: a file. */
  readonly tlsCa?: string | undefined;
  /** So long it is tried to connect at first, milliseconds; 0: once. */
  readonly patienceMs: number;
}

const PORT = 6379;
const CONNECT_MS = 10_000;

/** Reads `redis://[user@]host[:port][/database]`, or `rediss://` for TLS. @throws BackupError USAGE */
export function parseQueue(text: string): QueuePlace {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isTls = url?.protocol === "rediss:";
  if (!url || !(isTls || url.protocol === "redis:") || url.hostname === "")
    throw new BackupError("USAGE", "--queue takes redis://host, redis://user@host:port/database or rediss://… for TLS");
  if (url.password !== "")
    throw new BackupError(
      "USAGE",
      "--queue holds a password, which other users of this machine see; put it into a file for --queue-secret",
    );
  const database = /^\/?(\d{0,4})$/.exec(url.pathname)?.[1];
  if (database === undefined || url.search !== "" || url.hash !== "")
    throw new BackupError("USAGE", `--queue ends in the number of a database at most, as redis://${url.hostname}/0`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? PORT : Number(url.port),
    isTls,
    user: url.username === "" ? undefined : decodeURIComponent(url.username),
    database: Number(database),
  };
}

/**
 * Connects, and goes on to do so whenever the connection is lost: commands wait for it.
 * @throws BackupError CONNECTION_REFUSED, HOST_UNKNOWN, AUTH_FAILED, TLS_UNTRUSTED, ABORTED where it cannot at first
 */
export async function connectQueue(access: QueueAccess, signal: AbortSignal): Promise<Redis> {
  const options = await optionsOf(access);
  const until = Date.now() + access.patienceMs;
  for (let pauseMs = 500; ; pauseMs = Math.min(2 * pauseMs, 10_000)) {
    throwIfAborted(signal);
    const redis = new Redis(options);
    // Told by what it is asked for.
    let last: Error | undefined;
    redis.on("error", (error: Error) => {
      last = error;
    });
    try {
      await redis.connect();
      await redis.ping();
      return redis;
    } catch (error) {
      redis.disconnect();
      const problem = queueError(last ?? error, access.place);
      if (!problem.transient || Date.now() + pauseMs > until) throw problem;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}

async function optionsOf({ place, password, tlsCa }: QueueAccess): Promise<RedisOptions> {
  const { host, port, user, database, isTls } = place;
  return {
    host,
    port,
    db: database,
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    ...(isTls ? { tls: tlsCa === undefined ? { servername: host } : { servername: host, ca: await caOf(tlsCa) } } : {}),
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    // Whoever waits for a job waits until there is a connection again.
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) => Math.min(250 * 2 ** times, 10_000),
  };
}

async function caOf(file: string): Promise<string[]> {
  const { rootCertificates } = await import("node:tls");
  try {
    return [...rootCertificates, await readFile(file, "utf8")];
  } catch (error) {
    const message = `the file ${file} of --queue-ca cannot be read (${systemCode(error) ?? "unknown error"})`;
    throw new BackupError("USAGE", message, { cause: error });
  }
}

/** What went wrong on the way to the queue, for a person. */
export function queueError(error: unknown, { host, port }: Pick<QueuePlace, "host" | "port">): BackupError {
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const code = systemCode(error) ?? "";
  const text = error instanceof Error ? error.message : String(error);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return new BackupError("HOST_UNKNOWN", `there is no host ${host}; check --queue`, {
      transient: code !== "ENOTFOUND",
    });
  if (/NOAUTH|WRONGPASS|invalid (?:username|password)|NOPERM/i.test(text)) {
    const message = `the queue at ${where} refuses the login; put its password into a file for --queue-secret, or into /backup/${host}.password`;
    return new BackupError("AUTH_FAILED", message, { cause: error });
  }
  if (/certificate|self.signed|altnames/i.test(text) || code.startsWith("ERR_TLS"))
    return new BackupError("TLS_UNTRUSTED", `the certificate of ${where} is not trusted (${text}); see --queue-ca`, {
      cause: error,
    });
  const reason = code === "ECONNREFUSED" ? "nothing listens there" : code || text;
  return new BackupError(
    "CONNECTION_REFUSED",
    `no queue at ${where} (${reason}); start Redis or Valkey, or correct --queue`,
    {
      transient: true,
      cause: error,
    },
  );
}
