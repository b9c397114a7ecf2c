import { type EventSink, type Path, isBackupError, throwIfAborted } from "@backup/core";
import type { RemoteShell } from "@backup/core";
import { RsyncExit } from "./rsync-errors.js";
import { remoteRsyncVersion } from "./rsync-probe.js";
import { type RunRsync, rsyncVersion } from "./rsync-process.js";
import { retryTransient } from "./rsync-retry.js";

/** How rsync(1) is run. */
export interface RsyncMeans {
  readonly run: RunRsync;
  /** Asked for at every attempt: the connection may have been made anew. */
  readonly shell: (signal: AbortSignal) => Promise<RemoteShell>;
  readonly onEvent?: EventSink | undefined;
  /** As rsync(1) takes it: KiB a second, or a number with a unit. */
  readonly bwlimit?: string | undefined;
  /** Before the first retry, milliseconds. */
  readonly retryMs?: number | undefined;
}

export interface RsyncPush {
  /** Directory here. */
  readonly local: string;
  /** Directory there. */
  readonly directory: string;
  readonly files: readonly Path[];
  readonly totalBytes: number;
  /** They were sent before: what is there with these bytes is not sent again. */
  readonly isAgain?: boolean;
  /** Besides those of every push; asked for at every attempt. */
  readonly options: () => readonly string[];
  /** Whether the failure was an option that can be done without; then it is left out from now on. */
  readonly learn: (refusal: RsyncExit) => boolean;
  readonly signal: AbortSignal;
}

/**
 * Whatever the umask there is, files are 0600. Only the files themselves, no attributes of the directories above them,
 * and never --links or --keep-dirlinks.
 */
const ALWAYS = ["--times", "--omit-dir-times", "--perms", "--chmod=D0700,F0600", "--no-implied-dirs"];

/**
 * The first time all is sent, whole: a mail is small. After a lost connection, what is not there with these bytes; of a
 * file that is there in part, where it was written in place, what is missing.
 */
const FIRST = ["--ignore-times", "--whole-file"];
const AGAIN = ["--checksum", "--no-whole-file"];

/** Time between two events that say how far it is, milliseconds. */
const EVENT_MS = 250;

/** Sends files in one run of rsync(1), and again what did not arrive when the connection is lost. */
export async function push(
  means: RsyncMeans,
  { options, learn, totalBytes, isAgain, signal, ...what }: RsyncPush,
): Promise<void> {
  const { bwlimit, retryMs } = means;
  const onProgress = eventsOf(totalBytes, means.onEvent);
  let how = isAgain ? AGAIN : FIRST;
  const attempt = async (): Promise<void> => {
    const limit = bwlimit === undefined ? [] : [`--bwlimit=${bwlimit}`];
    const given = [...ALWAYS, ...how, ...limit, ...options()];
    try {
      await means.run({
        direction: "push",
        shell: await means.shell(signal),
        ...what,
        options: given,
        onProgress,
        signal,
      });
    } catch (error) {
      throwIfAborted(signal);
      // Again at once where only an option was wrong.
      if (isBackupError(error) && error.cause instanceof RsyncExit && learn(error.cause)) return attempt();
      how = AGAIN;
      throw error;
    }
  };
  await retryTransient(attempt, { signal, waitMs: retryMs });
  onProgress(totalBytes);
}

/** For a person: which rsync there is on both sides. */
export async function describeRsync({ shell }: RsyncMeans, signal: AbortSignal): Promise<string> {
  const there = await remoteRsyncVersion(await shell(signal), signal);
  const here = await rsyncVersion();
  return `rsync ${here.join(".")}${there ? `, ${there.join(".")} there` : ""}`;
}

/** An option that an rsync before 3.2.4, or a restricted account, may not know: each file is on disk when it is complete. */
export const FSYNC = "--fsync";

/** Whether it is that option which was refused; an older rrsync does not say which. */
export function isFsyncRefused({ stderr }: RsyncExit): boolean {
  return stderr.includes(FSYNC) || /invalid rsync-command syntax or options/.test(stderr);
}

/** Says how far it is, not more often than anybody can read it; the end always. */
function eventsOf(totalBytes: number, onEvent: EventSink | undefined): (bytes: number) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (bytes) => {
    const now = performance.now();
    if (bytes < totalBytes && now - last < EVENT_MS) return;
    last = now;
    onEvent?.({ type: "sending", bytes: Math.min(bytes, totalBytes), totalBytes });
  };
}
