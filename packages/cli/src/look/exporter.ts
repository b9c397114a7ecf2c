import type { StoredMessage } from "./stored-message.js";

/** Writes messages in another form, into a place of its own. */
export interface Exporter extends AsyncDisposable {
  /** Messages of one folder come one after the other. */
  add(message: StoredMessage, bytes: Uint8Array): Promise<void>;
  /** All that was added is on disk. Called once, after the last message. */
  finish(): Promise<void>;
}
