import { type BackupError, type Path, type Store, ahead, contentOf, throwIfAborted } from "@backup/core";
import { Header, headerLength } from "@backup/mail";
import type { StoredMessage } from "./stored-message.js";

/** Bytes of a file that almost every header fits into; and those that any does that is worth reading. */
const HEAD = 32 * 1024;
const LONG_HEAD = 1024 * 1024;
/** Files whose beginnings are read together. */
const BATCH = 128;

/** A message with its bytes. */
export interface WholeMessage {
  readonly bytes: Uint8Array;
  /** The bytes are not those that were stored. */
  readonly isDamaged: boolean;
}

/** @throws BackupError NOT_FOUND, and what else the store throws */
export async function readWhole(store: Store, message: StoredMessage, signal: AbortSignal): Promise<WholeMessage> {
  return wholeOf(message, await store.read(message.path, signal));
}

/** Messages with their bytes, in their order, or why one cannot be had; many are read at once. */
export async function* readAll(
  messages: readonly StoredMessage[],
  store: Store,
  signal: AbortSignal,
): AsyncGenerator<{ readonly message: StoredMessage; readonly whole: WholeMessage | BackupError }> {
  const byPath = new Map(messages.map((message) => [message.path, message]));
  const files = messages.map(({ path, size, date: mtime }) => ({ path, size, mtime }));
  for await (const content of store.contents(files, signal)) {
    const message = byPath.get(content.path);
    if (message) yield { message, whole: "error" in content ? content.error : wholeOf(message, content.bytes) };
  }
}

function wholeOf({ digest }: StoredMessage, bytes: Uint8Array): WholeMessage {
  return { bytes, isDamaged: contentOf(bytes).digest !== digest };
}

/** A message's header, without reading all of it. @throws as readWhole */
export async function readHeader(store: Store, message: StoredMessage, signal: AbortSignal): Promise<Header> {
  const heads = await store.heads([message.path], LONG_HEAD, signal);
  return new Header(heads.get(message.path) ?? (await readWhole(store, message, signal)).bytes);
}

/** Messages with their headers, in their order; undefined: its beginning does not hold it, or could not be read. */
export async function* withHeaders(
  messages: Iterable<StoredMessage>,
  store: Store,
  signal: AbortSignal,
): AsyncGenerator<{ readonly message: StoredMessage; readonly header: Header | undefined }> {
  const read = (batch: readonly StoredMessage[]): Promise<ReadonlyMap<Path, Uint8Array>> =>
    store.heads(
      batch.map(({ path }) => path),
      HEAD,
      signal,
    );
  for await (const { item, result } of ahead(batchesOf(messages), 2, read))
    for (const message of item) {
      throwIfAborted(signal);
      const head = result.get(message.path);
      const isWhole = head && (head.length >= message.size || headerLength(head) !== undefined);
      yield { message, header: isWhole ? new Header(head) : undefined };
    }
}

/** So many as are read together. */
export async function* batchesOf(
  messages: Iterable<StoredMessage> | AsyncIterable<StoredMessage>,
): AsyncGenerator<readonly StoredMessage[]> {
  let batch: StoredMessage[] = [];
  for await (const message of messages) {
    batch.push(message);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
