/** Splits what an IMAP server sends into lines, each with the literals that belong to it (RFC 3501, section 4.3). */
export class AnswerReader {
  #chunks: Buffer[] = [];
  /** Bytes that have come of the next line. */
  #length = 0;
  /** Bytes without which it is not whole. */
  #needed = 0;

  /** The lines that are whole with these bytes, with their ends. */
  *take(data: Buffer): Generator<Buffer> {
    this.#chunks.push(data);
    this.#length += data.length;
    // A large literal is looked at once, when all of it is there.
    if (this.#length < this.#needed) return;
    let pending = this.#chunks.length === 1 ? data : Buffer.concat(this.#chunks);
    for (;;) {
      this.#needed = lengthOfLine(pending);
      if (this.#needed > pending.length) break;
      yield pending.subarray(0, this.#needed);
      pending = pending.subarray(this.#needed);
    }
    this.#chunks = [pending];
    this.#length = pending.length;
  }
}

/** How long the first line is; of one that is not all there, how long at least. */
function lengthOfLine(data: Buffer): number {
  for (let from = 0; ; ) {
    const at = from > data.length ? -1 : data.indexOf("\r\n", from);
    if (at < 0) return Math.max(from, data.length) + 1;
    const literal = literalAt(data, at);
    from = at + 2 + (literal ?? 0);
    if (literal === undefined) return from;
  }
}

/** Bytes of the literal that a line announces which ends there. */
function literalAt(data: Buffer, lineEndsAt: number): number | undefined {
  const tail = data.toString("latin1", Math.max(0, lineEndsAt - 20), lineEndsAt);
  const [, size] = /~?\{(\d+)\}$/.exec(tail) ?? [];
  return size === undefined ? undefined : Number(size);
}

/** Where the first literal of a line begins and ends; undefined: it has none. */
export function literalOf(line: Buffer): { readonly start: number; readonly end: number } | undefined {
  const at = line.indexOf("\r\n");
  const size = at < 0 ? undefined : literalAt(line, at);
  return size === undefined ? undefined : { start: at + 2, end: at + 2 + size };
}
