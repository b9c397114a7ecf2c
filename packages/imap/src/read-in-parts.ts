import { BackupError } from "@backup/core";

/**
 * Bytes from `start`, fewer than `length` at the end; undefined: the message is gone. More than `length`, which only the
 * first part may be: the whole message, from a server that has no parts.
 */
export type PartReader = (start: number, length: number) => Promise<Buffer | undefined>;

/** Bytes that a message may have beyond twice its announced size: a size may be wrong, but some end there must be. */
const EXCESS = 64 * 1024 * 1024;

/**
 * A message's bytes in parts, of which the first is here. The announced size is not trusted: the end is where a part
 * is short, and where that is before the announced size, where the next part is empty.
 * @throws BackupError ITEM_UNREADABLE when the message vanishes on the way, or has no end
 */
export async function* readInParts(
  first: Buffer,
  announced: number,
  length: number,
  readPart: PartReader,
): AsyncGenerator<Buffer> {
  if (first.byteLength > length) {
    yield first;
    return;
  }
  const most = 2 * announced + EXCESS;
  let start = 0;
  for (let part: Buffer | undefined = first; ; part = await readPart(start, length)) {
    if (part === undefined)
      throw new BackupError("ITEM_UNREADABLE", "the message was deleted while it was read", { transient: true });
    start += part.byteLength;
    if (start > most)
      throw new BackupError(
        "ITEM_UNREADABLE",
        `the message does not end: the server announced ${announced} bytes and sent more than ${most}`,
        { transient: true },
      );
    if (part.byteLength > 0) yield part;
    if (part.byteLength === 0 || (part.byteLength < length && start >= announced)) return;
  }
}
