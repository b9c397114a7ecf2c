/** How much one FETCH asks for. */
export interface BatchLimits {
  /** Bytes of messages. */
  readonly bytes: number;
  /** Characters of the UID set: servers refuse long lines. */
  readonly setLength: number;
}

const BATCH_LIMITS: BatchLimits = { bytes: 32 * 1024 * 1024, setLength: 4000 };

/** Cuts messages, by UID, into batches that one `UID FETCH` asks for. Pure; keeps every message, each once. */
export function cutBatches<T extends { readonly uid: number; readonly size: number }>(
  messages: readonly T[],
  limits: BatchLimits = BATCH_LIMITS,
): T[][] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let bytes = 0;
  let ranges = 0;
  let previous = -1;
  for (const message of messages.toSorted((a, b) => a.uid - b.uid)) {
    const range = message.uid === previous + 1 ? 0 : 1;
    // A range is at most two numbers of ten digits, a colon and a comma.
    if (batch.length > 0 && (bytes + message.size > limits.bytes || (ranges + range) * 22 > limits.setLength)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
      ranges = 0;
    }
    ranges += batch.length === 0 ? 1 : range;
    batch.push(message);
    bytes += message.size;
    previous = message.uid;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

/** UIDs as a sequence set of RFC 3501, section 9: `1:5,8`. */
export function uidSet(uids: Iterable<number>): string {
  const parts: string[] = [];
  let first: number | undefined;
  let last = 0;
  const close = (): void => {
    if (first !== undefined) parts.push(first === last ? String(first) : `${first}:${last}`);
  };
  for (const uid of [...uids].toSorted((a, b) => a - b)) {
    if (first !== undefined && uid === last + 1) last = uid;
    else if (first === undefined || uid !== last) {
      close();
      first = uid;
      last = uid;
    }
  }
  close();
  return parts.join(",");
}
