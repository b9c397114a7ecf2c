import { setTimeout as sleep } from "node:timers/promises";
import { BackupError, type RestoreRequest, isBackupError, throwIfAborted } from "@backup/core";
import { appendSideBySide } from "./append-side-by-side.js";
import type { Connections } from "./connections.js";
import { compareFolder } from "./restore-compare.js";
import type { Destination } from "./restore-folders.js";
import type { RestoreLedger } from "./restore-ledger.js";
import type { StoredMessage } from "./restore-messages.js";
import { type Portion, portionsOf } from "./restore-portions.js";

export interface AppendingAll extends Pick<RestoreRequest, "store" | "signal" | "onEvent"> {
  readonly connections: Connections;
  readonly ledger: RestoreLedger;
}

/** For a server to store what it had received when a connection was lost: only then does it show. */
const SERVER_MS = 1000;

/** Until nothing is missing: what a lost connection left without an answer is looked for, and sent again if it is not there. */
export async function appendAll(missing: readonly Portion[], appending: AppendingAll): Promise<void> {
  const { connections, ledger, store, onEvent, signal } = appending;
  let left: readonly Portion[] = missing.filter(({ messages }) => messages.length > 0);
  while (left.length > 0) {
    const asked = new Map(left.map(({ destination, messages }) => [destination, messages]));
    const refuse = (destination: Destination, error: BackupError): void =>
      ledger.unavailable(destination.stored.name, error, asked.get(destination));
    const full = await appendSideBySide(portionsOf(left), {
      connections,
      store,
      log: ledger,
      isSuspect: ledger.isSuspect,
      onFolderRefused: refuse,
      onEvent,
      signal,
    });
    left = await settle(left, appending);
    if (full) return ledger.unavailable("", full);
  }
}

/** Looks for what was sent and not answered for. @returns what is to be sent again */
async function settle(
  portions: readonly Portion[],
  { connections, ledger, store, signal }: AppendingAll,
): Promise<readonly Portion[]> {
  const again: Portion[] = [];
  const { unsettled } = ledger;
  if (unsettled.length > 0) await sleep(SERVER_MS, undefined, { signal }).catch(() => throwIfAborted(signal));
  for (const { destination, sent } of unsettled) {
    const { folder, stored } = destination;
    // Those that are there come first: of two with the same bytes, the one that was not answered for is missing.
    const messages = [...ledger.presentIn(destination), ...sent];
    try {
      const { missing } = await connections.use(signal, (session) =>
        compareFolder(session, folder, messages, { store, write: true, signal }),
      );
      const unsent = ledger.settle(sent, new Set(missing), (message) => lostError(stored.name, message));
      const takes = portions.find((portion) => portion.destination === destination)?.takes ?? (() => true);
      if (unsent.length > 0) again.push({ destination, takes, messages: unsent });
    } catch (error) {
      if (!isBackupError(error, "COLLECTION_UNAVAILABLE")) throw error;
      ledger.unavailable(stored.name, error, sent);
    }
  }
  return again;
}

function lostError(name: string, { file }: StoredMessage): BackupError {
  const message = `folder ${name}: the connection was lost each time that ${file.path} was sent; it is left out`;
  return new BackupError("ITEM_REFUSED", message);
}
