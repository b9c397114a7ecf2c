import { once } from "node:events";
import { createRequire } from "node:module";
import type { Readable, Writable } from "node:stream";
import { BackupError, throwIfAborted } from "@backup/core";
import type { SFTPWrapper } from "ssh2";

/**
 * The part of ssh2 that speaks SFTP on a channel of its own client. It is not public: the version of ssh2 is pinned
 * exactly, nothing but this file uses it, and its test drives it against a real sftp-server. It also loads in a
 * quarter of the time that all of ssh2 takes.
 */
interface Engine extends SFTPWrapper {
  _init(): void;
  push(chunk: Buffer | null): void;
}

interface Outgoing {
  id: number;
  window: number;
  packetSize: number;
  state: "open" | "closing" | "closed";
}

interface Wire {
  _remoteIdentRaw: string;
  channelData(id: number, data: Buffer): void;
  channelClose(id: number): void;
}

type EngineClass = new (
  client: { readonly _protocol: Wire },
  channel: { readonly type: "sftp"; readonly incoming: object; readonly outgoing: Outgoing },
  config: object,
) => Engine;

const require = createRequire(import.meta.url);

export interface SftpStreams {
  /** What a person calls the host. */
  readonly host: string;
  readonly input: Readable;
  readonly output: Writable;
  /** What `end()` of the session does. Default: the output ends. */
  readonly onEnd?: () => void;
}

/** Largest packet that servers send, bytes. */
const LARGEST = 256 * 1024;
/** Length of a packet, and its type. */
const HEAD = 5;
const VERSION = 2;

/**
 * Speaks SFTP version 3 over two streams, as those of a `sftp-server` process. When the input ends all requests fail,
 * later ones too, and `close` is emitted once.
 * @throws BackupError TRANSPORT_MISSING when the input ends at once, PROTOCOL when it begins with something else
 */
export async function sftpOverStream(streams: SftpStreams, signal: AbortSignal): Promise<SFTPWrapper> {
  throwIfAborted(signal);
  const { host, input, output } = streams;
  // Its end is seen on the input; a write that comes too late is no news.
  output.on("error", () => undefined);
  const sftp = makeEngine(streams);
  const closed = once(sftp, "close", { signal });
  closed.catch(() => undefined);
  sftp._init();
  const first = await firstBytes(host, input, signal);
  const ready = once(sftp, "ready", { signal });
  sftp.push(first);
  input.on("data", (chunk: Buffer) => sftp.push(chunk));
  input.resume();
  try {
    await Promise.race([ready, closed.then(() => Promise.reject(noSftp(host)))]);
  } catch (error) {
    ready.catch(() => undefined);
    throwIfAborted(signal);
    throw error;
  }
  return sftp;
}

function makeEngine({ input, output, onEnd = () => output.end() }: SftpStreams): Engine {
  const { SFTP } = require("ssh2/lib/protocol/SFTP.js") as { readonly SFTP: EngineClass };
  let closed = false;
  const outgoing: Outgoing = {
    id: 0,
    window: Number.POSITIVE_INFINITY,
    packetSize: Number.POSITIVE_INFINITY,
    state: "open",
  };
  const close = (): void => {
    if (closed) return;
    closed = true;
    sftp.push(null);
    sftp.emit("close");
  };
  const sftp: Engine = new SFTP(
    {
      _protocol: {
        // Not as OpenSSH: that would make it send 254 KiB at once to servers that never said that they take so much.
        _remoteIdentRaw: "",
        channelData: (_id, data) => {
          // A request after the end is answered with an error, where ssh2 would never answer.
          if (closed) setImmediate(() => sftp.push(null));
          else output.write(data);
        },
        channelClose: () => {
          outgoing.state = "open";
          if (closed) return;
          onEnd();
          setImmediate(close);
        },
      },
    },
    { type: "sftp", incoming: {}, outgoing },
    {},
  );
  // What breaks the protocol ends the session: every request fails, so that somebody notices.
  sftp.on("error", () => undefined);
  // A channel of ssh2 whose connection breaks has an end and no close.
  input.on("error", close).on("end", close).on("close", close);
  return sftp;
}

/** Waits for the head of the first packet, which says whether SFTP is spoken at all. */
async function firstBytes(host: string, input: Readable, signal: AbortSignal): Promise<Buffer> {
  const bytes = await new Promise<Buffer>((resolve) => {
    let head = Buffer.alloc(0);
    const finish = (): void => {
      input.off("data", onData).off("end", finish).off("close", finish);
      signal.removeEventListener("abort", finish);
      input.pause();
      resolve(head);
    };
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      if (head.length >= HEAD) finish();
    };
    signal.addEventListener("abort", finish);
    input.on("data", onData).on("end", finish).on("close", finish);
  });
  throwIfAborted(signal);
  if (bytes.length === 0) throw noSftp(host);
  if (bytes.length >= HEAD && bytes.readUInt32BE(0) <= LARGEST && bytes[4] === VERSION) return bytes;
  throw new BackupError(
    "PROTOCOL",
    `the login shell on ${host} prints text where SFTP is expected ('${printable(bytes)}'); ` +
      "make its start files silent for logins that are not interactive",
  );
}

function printable(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replace(/[^ -~]+/g, " ")
    .trim()
    .slice(0, 60);
}

export function noSftp(host: string, cause?: unknown): BackupError {
  return new BackupError("TRANSPORT_MISSING", `the account on ${host} has no SFTP; it may still have rsync`, { cause });
}
