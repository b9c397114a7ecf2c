import { BackupError } from "@backup/core";

/** Bytes from `start`, fewer than `length` at the end; undefined: the message is gone. */
export type PartReader = (start: number, length: number) => Promise<Buffer | undefined>;

/**
 * A message's bytes in parts, of which the first is here. The announced size is not trusted: the end is where a part
 * is short, and where that is before the announced size, where the next part is empty.
 * @throws BackupError ITEM_UNREADABLE when the message vanishes on the way
 */
export async function* readInParts(
  first: Buffer,
  announced: number,
  length: number,
  readPart: PartReader,
): AsyncGenerator<Buffer> {
  let start = 0;
  for (let part: Buffer | undefined = first; ; part = await readPart(start, length)) {
    if (part === undefined)
      throw new BackupError("ITEM_UNREADABLE", "the message was deleted while it was read", { transient: true });
    if (part.byteLength > 0) yield part;
    start += part.byteLength;
    if (part.byteLength === 0 || (part.byteLength < length && start >= announced)) return;
  }
}
