import { BackupError, isBackupError, systemCode, throwIfAborted } from "./errors.js";
import type { Path, Stored } from "./model.js";
import type { FileContent } from "./store.js";

export interface ReadAhead {
  /** @throws BackupError NOT_FOUND, or DESTINATION_UNWRITABLE where the file lets nobody read it */
  readonly read: (path: Path) => Promise<Uint8Array>;
  /** Files that are read at once. */
  readonly lanes: number;
  readonly signal: AbortSignal;
}

/** Bytes that are read or stand ready, at most; a file that is larger has the room for itself. */
const ROOM = 4 * 1024 * 1024;

/** `Store.contents` by reading single files, many at once: what waits for a round trip does not wait for the others. */
export async function* readAhead(
  files: readonly Stored[],
  { read, lanes, signal }: ReadAhead,
): AsyncGenerator<FileContent> {
  const waiting: { readonly size: number; readonly content: Promise<FileContent> }[] = [];
  let held = 0;
  let next = 0;
  const begin = (): void => {
    for (let file = files[next]; file; file = files[next]) {
      if (waiting.length >= lanes || (waiting.length > 0 && held + file.size > ROOM)) return;
      next++;
      held += file.size;
      const content = contentAt(file.path, read);
      // It is awaited some turns later; until then a failure must not count as unhandled.
      content.catch(() => {});
      waiting.push({ size: file.size, content });
    }
  };
  try {
    for (begin(); waiting[0]; begin()) {
      throwIfAborted(signal);
      const { size, content } = waiting[0];
      const result = await content;
      waiting.shift();
      held -= size;
      yield result;
    }
  } finally {
    await Promise.allSettled(waiting.map(({ content }) => content));
  }
}

async function contentAt(path: Path, read: ReadAhead["read"]): Promise<FileContent> {
  try {
    return { path, bytes: await read(path) };
  } catch (error) {
    if (isBackupError(error, "NOT_FOUND")) return { path, error };
    // What a store says of a file that lets nobody do something with it.
    if (!isBackupError(error, "DESTINATION_UNWRITABLE")) throw error;
    const { cause } = error;
    const why = systemCode(cause) ?? (cause instanceof Error ? cause.message : error.message);
    const message = `${path} cannot be read (${why}); check its rights, and the disk`;
    return { path, error: new BackupError("ITEM_UNREADABLE", message, { cause: error }) };
  }
}
