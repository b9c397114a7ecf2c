import type { BackupError, EventSink, RestoreReport } from "@backup/core";
import type { AppendLog } from "./append-portion.js";
import type { Destination } from "./restore-folders.js";
import type { StoredMessage } from "./restore-messages.js";
import type { Portion } from "./restore-portions.js";

/** Connections that were lost while a message was sent, after which it is left out: it may be what ends them. */
const LOSSES = 3;

/** What became of every message of a restore. */
export class RestoreLedger implements AppendLog {
  readonly #onEvent: EventSink;
  readonly #folders = new Map<StoredMessage, Destination>();
  readonly #restored = new Set<StoredMessage>();
  readonly #failed = new Set<StoredMessage>();
  readonly #uncertain = new Set<StoredMessage>();
  readonly #losses = new Map<StoredMessage, number>();
  #totalBytes = 0;
  #bytes = 0;
  #problems = 0;

  constructor(onEvent: EventSink) {
    this.#onEvent = onEvent;
  }

  /** These are to be restored. */
  plan({ destination, messages }: Pick<Portion, "destination" | "messages">): void {
    for (const message of messages) {
      this.#folders.set(message, destination);
      this.#totalBytes += message.size;
    }
  }

  /** Of what is to be restored. */
  get planned(): { readonly missing: number; readonly bytes: number } {
    return { missing: this.#folders.size, bytes: this.#totalBytes };
  }

  readonly isSuspect = (message: StoredMessage): boolean => this.#losses.has(message);

  restored(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      this.#restored.add(message);
      this.#failed.delete(message);
      this.#bytes += message.size;
    }
    const [items, bytes, totalItems, totalBytes] = [
      this.#restored.size,
      this.#bytes,
      this.#folders.size,
      this.#totalBytes,
    ];
    this.#onEvent({ type: "progress", items, bytes, totalItems, totalBytes });
  }

  failed(message: StoredMessage, error: BackupError): void {
    this.#failed.add(message);
    this.#tell(this.#folders.get(message)?.stored.name ?? "", error, message.file.path);
  }

  uncertain(messages: readonly StoredMessage[]): void {
    for (const message of messages) this.#uncertain.add(message);
  }

  /** Something of what was asked for cannot be restored, with so many messages. */
  unavailable(name: string, error: BackupError, messages: readonly StoredMessage[] = []): void {
    this.#problems++;
    for (const message of messages) {
      this.#uncertain.delete(message);
      if (!this.#restored.has(message)) this.#failed.add(message);
    }
    this.#tell(name, error);
  }

  /** Folders with messages that were sent and not answered for. */
  get unsettled(): readonly { readonly destination: Destination; readonly sent: readonly StoredMessage[] }[] {
    const groups = new Map<Destination, StoredMessage[]>();
    for (const message of this.#uncertain) {
      const destination = this.#folders.get(message);
      if (destination) groups.set(destination, [...(groups.get(destination) ?? []), message]);
    }
    return Array.from(groups, ([destination, sent]) => ({ destination, sent }));
  }

  /** Messages of a folder that are at the target, whoever brought them there. */
  presentIn({ stored }: Destination): readonly StoredMessage[] {
    return stored.messages.filter((message) => !this.#folders.has(message) || this.#restored.has(message));
  }

  /** After a comparison. @returns those to be sent again */
  settle(
    sent: readonly StoredMessage[],
    missing: ReadonlySet<StoredMessage>,
    lost: (message: StoredMessage) => BackupError,
  ): readonly StoredMessage[] {
    for (const message of sent) this.#uncertain.delete(message);
    const arrived = sent.filter((message) => !missing.has(message));
    if (arrived.length > 0) this.restored(arrived);
    return sent.filter((message) => {
      if (!missing.has(message)) return false;
      const losses = (this.#losses.get(message) ?? 0) + 1;
      this.#losses.set(message, losses);
      if (losses >= LOSSES) this.failed(message, lost(message));
      return losses < LOSSES;
    });
  }

  report(given: Pick<RestoreReport, "dryRun" | "collections" | "items" | "present" | "seconds">): RestoreReport {
    const failed = this.#failed.size;
    const planned = [...this.#folders.keys()].filter((message) => !this.#failed.has(message)).length;
    const restored = given.dryRun ? planned : this.#restored.size;
    const left = planned - restored;
    const bytes = given.dryRun ? this.#totalBytes : this.#bytes;
    const result = failed + left + this.#problems > 0 ? "partial" : "done";
    return { result, ...given, restored, failed, left, bytes };
  }

  #tell(collection: string, { code, message }: BackupError, item?: string): void {
    this.#onEvent({ type: "failed", collection, ...(item === undefined ? {} : { item }), code, message });
  }
}
