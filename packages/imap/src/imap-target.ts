import type { RestoreReport, RestoreRequest, Target } from "@backup/core";
import { appendAll } from "./append-all.js";
import { Connections } from "./connections.js";
import { RestoreLedger } from "./restore-ledger.js";
import { type RestoreScope, surveyRestore } from "./restore-survey.js";
import { formatServer } from "./server.js";
import type { SessionOptions } from "./session.js";

export interface ImapTargetOptions extends SessionOptions, RestoreScope {
  /** At the same time, at most; a server that allows fewer is obeyed. */
  readonly connections: number;
}

/** An IMAP account (RFC 9051) that messages are added to. */
export class ImapTarget implements Target {
  readonly #options: ImapTargetOptions;
  readonly #connections: Connections;

  constructor(options: ImapTargetOptions) {
    this.#options = options;
    this.#connections = new Connections(options, options.connections);
  }

  async restore(request: RestoreRequest): Promise<RestoreReport> {
    const { store, dryRun, signal, onEvent } = request;
    const started = performance.now();
    const { server, login } = this.#options;
    const destination = `${login.user} at ${formatServer(server)}`;
    onEvent({ type: "start", source: store.name, destination, dryRun });
    const ledger = new RestoreLedger(onEvent);
    const survey = await surveyRestore(this.#connections, this.#options, { request, ledger });
    const { collections, items, present, missing } = survey;
    onEvent({ type: "restore-plan", collections, items, present, ...ledger.planned });
    if (!dryRun) await appendAll(missing, { connections: this.#connections, ledger, store, signal, onEvent });
    const seconds = (performance.now() - started) / 1000;
    const report = ledger.report({ dryRun, collections, items, present, seconds });
    onEvent({ type: "restored", report });
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
  }
}
