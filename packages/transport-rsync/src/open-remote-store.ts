import {
  BackupError,
  CHECKPOINT_FILE,
  type EventSink,
  LEASE_FILE,
  PRIVATE,
  type Store,
  type Stored,
  isBackupError,
} from "@backup/core";
import type { Host } from "./connection.js";
import type { HostOptions } from "./host-options.js";
import { openHost } from "./open-host.js";
import { type Opened, PendingStore } from "./pending-store.js";
import { parseRemote } from "./remote.js";
import { rsyncProgram } from "./rsync-process.js";
import { type RsyncMark, probeRsync } from "./rsync-probe.js";
import { RsyncOnlyStore } from "./rsync-only-store.js";
import { sumsByShell } from "./remote-sums.js";
import { remoteTrees } from "./remote-trees.js";
import { syncFileSystem } from "./remote-sync.js";
import type { Sender } from "./sender.js";
import { SftpChannel } from "./sftp-channel.js";
import { SftpDestination } from "./sftp-destination.js";
import { rootOf } from "./sftp-root.js";
import { sftpSender } from "./sftp-sender.js";
import { SftpStore } from "./sftp-store.js";
import { ShellLine } from "./shell-line.js";
import { Spool } from "./spool.js";
import { stagedSender } from "./staged-sender.js";

/** How to reach a destination, and how to send files there. What is left out has the default of the command line. */
export interface RemoteStoreOptions extends Partial<Omit<HostOptions, "remote">> {
  /** `[user@]host:dir` */
  readonly destination: string;
  /** Default `auto`: rsync where both sides have it, else SFTP. */
  readonly transport?: "auto" | "rsync" | "sftp";
  /** Directory for what is on its way. Default: that for temporary files. */
  readonly spool?: string | undefined;
  /** KiB a second that rsync may send. */
  readonly bwlimit?: number | undefined;
}

type Settings = RemoteStoreOptions & HostOptions;

/** Connections that share the sending of files by SFTP. */
const LANES = 4;

/** What rsync says where it cannot be used; all else it says of the destination, and so does the store. */
const NO_RSYNC: ReadonlySet<string> = new Set(["TRANSPORT_MISSING", "PROTOCOL"]);

/** A file that the lease has made: what rsync must see too. */
const SEEN = LEASE_FILE;

/**
 * A directory on another host as a store: `[user@]host:dir`. Connecting has begun when this resolves, and goes on while
 * the caller does something else; what fails shows at the first use. Everything but the sending of files goes by SFTP,
 * files by rsync where both sides have it; an account that knows rsync alone is served by rsync alone.
 * @throws BackupError USAGE
 */
export async function openRemoteStore(options: RemoteStoreOptions): Promise<Store> {
  const remote = parseRemote(options.destination);
  if (!remote)
    throw new BackupError(
      "USAGE",
      `${options.destination} is a directory here; write [user@]host:dir for another host`,
    );
  const defaults = { secretsDirectory: "/backup", env: process.env, onEvent: () => {}, timeoutMs: 60_000 };
  const settings = { ...defaults, ...options, remote };
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const store = new PendingStore(options.destination, (signal, reached) =>
    open({ ...settings, onConnecting: begin }, { signal, reached }),
  );
  await Promise.race([begun, store.settled]);
  return store;
}

async function open(
  options: Settings,
  { signal, reached }: { readonly signal: AbortSignal; readonly reached: AbortSignal },
): Promise<Opened> {
  const { destination: name, remote, transport } = options;
  const { directory } = remote;
  const onEvent = saidOnce("SFTP_LIMITED", options.onEvent);
  const host = await openHost(options);
  const spool = new Spool({ directory: options.spool });
  const line = new ShellLine(host);
  // Programs have a connection of their own: it need not wait for the other one, unless that has a key to pin.
  const beginLine = async (): Promise<void> => {
    if (transport !== "sftp" && host.by === "OpenSSH" && (await host.isPinned())) line.begin();
  };
  // What is wrong with what is known of the host, the other one says.
  const begin = (): void => void beginLine().catch(() => {});
  if (reached.aborted) begin();
  else reached.addEventListener("abort", begin, { once: true });
  const lanes = Array.from({ length: LANES }, () => new SftpChannel({ host, compress: false, onEvent }));
  /** What rsync was seen to do: to answer, or to see a file that SFTP has made as well. */
  let seen: "answers" | "same" | undefined;
  const store: SftpStore = new SftpStore({
    name,
    host,
    directory,
    spool,
    // Only OpenSSH runs commands; and who asks for SFTP gets that.
    trees:
      host.by === "OpenSSH" && transport !== "sftp"
        ? remoteTrees((given) => line.shell(given), rootOf(directory).at(SEEN))
        : undefined,
    onEvent,
    sums: sumsByShell((given) => line.shell(given)),
    reach: async (given) => {
      if (transport === "sftp" || host.by !== "OpenSSH") return undefined;
      if (seen !== "same") {
        // Before there is a lease, and in a dry run, there may be nothing yet.
        const mark = markOf(await store.list([PRIVATE], given));
        const why = mark || seen === undefined ? await whyNoRsync({ ...options, line, spool }, mark, given) : undefined;
        if (why && transport === "rsync") throw why;
        if (why) return undefined;
        seen = mark ? "same" : "answers";
      }
      return { shell: await line.shell(given), directory };
    },
    sender: (own, given) => {
      const isSeen = seen === "same";
      return chooseSender({ ...options, onEvent, host, spool, line, lanes, store, own, isSeen }, given);
    },
  });
  const owned = [...lanes, line, spool];
  try {
    await store.connect(signal);
    return { store, owned };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    try {
      if (transport === "sftp" || !isBackupError(error, "TRANSPORT_MISSING") || host.by !== "OpenSSH") throw error;
      const why = await whyNoRsync({ ...options, line, spool }, undefined, signal);
      // What SFTP said is the shorter story.
      if (why && NO_RSYNC.has(why.code))
        throw new BackupError("TRANSPORT_MISSING", `${error.message}; nor rsync: ${why.message}`, { cause: why });
      say(onEvent, host, "rsync", `rsync alone: ${error.message}`);
      const shell = (given: AbortSignal) => line.shell(given);
      const bwlimit = limitOf(options);
      return { store: new RsyncOnlyStore({ name, directory, shell, spool, onEvent, bwlimit }), owned };
    } catch (failure) {
      for (const resource of owned) await resource[Symbol.asyncDispose]();
      throw failure;
    }
  }
}

interface Means extends Omit<Settings, "spool"> {
  readonly host: Host;
  readonly spool: Spool;
  readonly line: ShellLine;
  /** Made when they are needed. */
  readonly lanes: readonly SftpChannel[];
  readonly store: SftpStore;
  /** What the store itself works by. */
  readonly own: SftpDestination;
  /** Rsync is known to work, and to see what SFTP makes. */
  readonly isSeen: boolean;
}

/** How files are sent, and says so. @throws BackupError TRANSPORT_MISSING where rsync is asked for and cannot be had */
async function chooseSender(means: Means, signal: AbortSignal): Promise<Sender> {
  const { host, destination: name, remote, transport, spool, line, lanes, store, own, isSeen, onEvent } = means;
  const { directory } = remote;
  const why =
    transport === "sftp" ? "as asked for" : isSeen ? undefined : await whyNoRsync(means, { path: SEEN }, signal);
  if (why === undefined) {
    say(onEvent, host, "rsync", "files are sent by rsync");
    const shell = (given: AbortSignal) => line.shell(given);
    return stagedSender({
      run: rsyncProgram({ env: means.env }),
      shell,
      directory,
      spool,
      onEvent,
      bwlimit: limitOf(means),
      stage: {
        // Not tried again: a host that went down meanwhile would have nothing left to make durable.
        sync: async (given) => syncFileSystem(await shell(given), directory || ".", given),
        publish: (moves, given) => store.publish(moves, given),
        clear: (path, given) => store.clear(path, given),
      },
    });
  }
  if (typeof why !== "string" && transport === "rsync") throw why;
  say(onEvent, host, "sftp", `files are sent by SFTP: ${typeof why === "string" ? why : why.message}`);
  return sftpSender({ few: own, many: lanes.map((lane) => new SftpDestination(lane, { name, directory, onEvent })) });
}

/** What rsync has to see as well: the file of the lease, or, before there is one, what the last run has left. */
function markOf(files: readonly Stored[]): RsyncMark | undefined {
  if (files.some(({ path }) => path === SEEN)) return { path: SEEN };
  return files.find(({ path }) => path === CHECKPOINT_FILE);
}

/** Undefined: rsync works, and, where a file is given, sees it. */
async function whyNoRsync(
  { line, remote, spool, env }: Pick<Means, "line" | "remote" | "spool" | "env">,
  seen: RsyncMark | undefined,
  signal: AbortSignal,
): Promise<BackupError | undefined> {
  try {
    const run = rsyncProgram({ env });
    const shell = await line.shell(signal);
    const local = await spool.directory();
    const place = seen === undefined ? {} : { seen };
    const probe = await probeRsync({ run, shell, directory: remote.directory, local, signal, ...place });
    return probe.works ? undefined : probe.reason;
  } catch (error) {
    if (isBackupError(error, "TRANSPORT_MISSING")) return error;
    throw error;
  }
}

function limitOf({ bwlimit }: Pick<RemoteStoreOptions, "bwlimit">): string | undefined {
  return bwlimit === undefined ? undefined : String(bwlimit);
}

function say(onEvent: EventSink, { name }: Host, transport: "rsync" | "sftp", message: string): void {
  onEvent({ type: "transport", host: name, transport, message });
}

/** Passes a warning with this code once: several connections say the same of one server. */
function saidOnce(code: string, onEvent: EventSink): EventSink {
  let isSaid = false;
  return (event) => {
    if (event.type === "warning" && event.code === code) {
      if (isSaid) return;
      isSaid = true;
    }
    onEvent(event);
  };
}
