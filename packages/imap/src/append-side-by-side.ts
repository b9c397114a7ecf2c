import { setMaxListeners } from "node:events";
import { type BackupError, isBackupError, throwIfAborted } from "@backup/core";
import { type AppendLog, type AppendOptions, appendPortion } from "./append-portion.js";
import { type Connections, type Lane, isLost } from "./connections.js";
import type { Destination } from "./restore-folders.js";
import type { StoredMessage } from "./restore-messages.js";
import type { Portion } from "./restore-portions.js";

export interface AppendingOptions extends Omit<AppendOptions, "isStopped"> {
  readonly connections: Connections;
  /** The server takes no messages for this folder; told once. */
  readonly onFolderRefused: (destination: Destination, error: BackupError) => void;
}

/**
 * Appends portions by as many connections as are worth it. What was not answered when a connection was lost is left to the
 * caller, who compares the folder again; the rest of its portion goes to another one.
 * @returns what ended it before all was sent: the account is full
 */
export async function appendSideBySide(
  portions: readonly Portion[],
  { connections, onFolderRefused, log, signal: caller, ...options }: AppendingOptions,
): Promise<BackupError | undefined> {
  const queue = [...portions];
  const stop = new AbortController();
  const signal = AbortSignal.any([caller, stop.signal]);
  // Each connection listens: that is no leak.
  setMaxListeners(0, signal);
  const refused = new Set<Destination>();
  let full: BackupError | undefined;

  /** False: the connection is of no more use. */
  const append = async (lane: Lane, portion: Portion): Promise<boolean> => {
    const left = new Set(portion.messages);
    try {
      await appendPortion(lane.session, portion, {
        ...options,
        signal,
        log: noting(log, (messages) => messages.forEach((each) => left.delete(each))),
        isStopped: () => full !== undefined,
      });
      return true;
    } catch (error) {
      throwIfAborted(signal);
      if (isBackupError(error, "OVER_QUOTA")) full = error;
      else if (isBackupError(error, "COLLECTION_UNAVAILABLE")) {
        if (!refused.has(portion.destination)) onFolderRefused(portion.destination, error);
        refused.add(portion.destination);
      } else if (isLost(lane, error) || (isConnectionLost(error) && left.size < portion.messages.length)) {
        if (left.size > 0) queue.unshift({ ...portion, messages: portion.messages.filter((each) => left.has(each)) });
        if (lane.isSpare) connections.retire(lane, error);
        return !lane.isSpare;
      } else throw error;
      return true;
    }
  };
  const work = async (lane: Lane | undefined): Promise<void> => {
    if (!lane) return;
    try {
      for (let isOfUse = true; isOfUse && !full; ) {
        const portion = queue.shift();
        if (!portion) return;
        isOfUse = refused.has(portion.destination) || (await append(lane, portion));
      }
    } finally {
      connections.release(lane);
    }
  };
  const lanes = Math.min(connections.most, queue.length);
  const tasks = [connections.first(signal).then(work)];
  for (let spare = 1; spare < lanes; spare++) tasks.push(connections.spare(signal).then(work));
  for (const task of tasks) task.catch((error: unknown) => stop.abort(error));
  for (const settled of await Promise.allSettled(tasks)) if (settled.status === "rejected") throw settled.reason;
  // What a spare connection gave back when the first one had nothing left to do.
  while (queue.length > 0 && !full) await work(await connections.first(signal));
  return full;
}

/** And nothing else; the first connection is made again. */
function isConnectionLost(error: unknown): boolean {
  return isBackupError(error, "CONNECTION_LOST") || isBackupError(error, "TIMEOUT");
}

/** The same log, told of every message that needs no further try here. */
function noting(log: AppendLog, note: (messages: readonly StoredMessage[]) => void): AppendLog {
  return {
    restored(messages) {
      note(messages);
      log.restored(messages);
    },
    failed(message, error) {
      note([message]);
      log.failed(message, error);
    },
    uncertain(messages) {
      note(messages);
      log.uncertain(messages);
    },
  };
}
