import { setTimeout as sleep } from "node:timers/promises";
import {
  BackupError,
  type RestoreReport,
  type RestoreRequest,
  type Target,
  isBackupError,
  throwIfAborted,
} from "@backup/core";
import { appendSideBySide } from "./append-side-by-side.js";
import { Connections } from "./connections.js";
import { compareFolder } from "./restore-compare.js";
import type { Destination } from "./restore-folders.js";
import { RestoreLedger } from "./restore-ledger.js";
import type { StoredMessage } from "./restore-messages.js";
import { type Portion, portionsOf } from "./restore-portions.js";
import { type RestoreScope, surveyRestore } from "./restore-survey.js";
import { formatServer } from "./server.js";
import type { SessionOptions } from "./session.js";

export interface ImapTargetOptions extends SessionOptions, RestoreScope {
  /** At the same time, at most; a server that allows fewer is obeyed. */
  readonly connections: number;
}

/** For a server to store what it had received when a connection was lost: only then does it show. */
const SERVER_MS = 1000;

/** An IMAP account (RFC 9051) that messages are added to. */
export class ImapTarget implements Target {
  readonly #options: ImapTargetOptions;
  readonly #connections: Connections;

  constructor(options: ImapTargetOptions) {
    this.#options = options;
    this.#connections = new Connections(options, options.connections);
  }

  async restore(request: RestoreRequest): Promise<RestoreReport> {
    const { store, dryRun, onEvent } = request;
    const started = performance.now();
    const { server, login } = this.#options;
    const destination = `${login.user} at ${formatServer(server)}`;
    onEvent({ type: "start", source: store.name, destination, dryRun });
    const ledger = new RestoreLedger(onEvent);
    const survey = await surveyRestore(this.#connections, this.#options, { request, ledger });
    const { collections, items, present, missing } = survey;
    onEvent({ type: "restore-plan", collections, items, present, ...ledger.planned });
    if (!dryRun) await this.#append(missing, request, ledger);
    const seconds = (performance.now() - started) / 1000;
    const report = ledger.report({ dryRun, collections, items, present, seconds });
    onEvent({ type: "restored", report });
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
  }

  /** Until nothing is missing: what a lost connection left without an answer is looked for, and sent again if it is not there. */
  async #append(missing: readonly Portion[], request: RestoreRequest, ledger: RestoreLedger): Promise<void> {
    const { store, onEvent, signal } = request;
    let left: readonly Portion[] = missing.filter(({ messages }) => messages.length > 0);
    while (left.length > 0) {
      const asked = new Map(left.map(({ destination, messages }) => [destination, messages]));
      const refuse = (destination: Destination, error: BackupError): void =>
        ledger.unavailable(destination.stored.name, error, asked.get(destination));
      const full = await appendSideBySide(portionsOf(left), {
        connections: this.#connections,
        store,
        log: ledger,
        isSuspect: ledger.isSuspect,
        onFolderRefused: refuse,
        onEvent,
        signal,
      });
      left = await this.#settle(left, request, ledger);
      if (full) return ledger.unavailable("", full);
    }
  }

  /** Looks for what was sent and not answered for. @returns what is to be sent again */
  async #settle(
    portions: readonly Portion[],
    { store, signal }: RestoreRequest,
    ledger: RestoreLedger,
  ): Promise<readonly Portion[]> {
    const again: Portion[] = [];
    const { unsettled } = ledger;
    if (unsettled.length > 0) await sleep(SERVER_MS, undefined, { signal }).catch(() => throwIfAborted(signal));
    for (const { destination, sent } of unsettled) {
      const { folder, stored } = destination;
      // Those that are there come first: of two with the same bytes, the one that was not answered for is missing.
      const messages = [...ledger.presentIn(destination), ...sent];
      try {
        const { missing } = await this.#connections.use(signal, (session) =>
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
}

function lostError(name: string, { file }: StoredMessage): BackupError {
  const message = `folder ${name}: the connection was lost each time that ${file.path} was sent; it is left out`;
  return new BackupError("ITEM_REFUSED", message);
}
