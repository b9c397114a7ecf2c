/** Splits what an IMAP server sends into lines, each with the literals that belong to it (RFC 3501, section 4.3). */
export class AnswerReader {
  #pending: Buffer = Buffer.alloc(0);

  /** The lines that are whole with these bytes, with their ends. */
  *take(data: Buffer): Generator<Buffer> {
    this.#pending = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    for (let end = lineEnd(this.#pending); end !== undefined; end = lineEnd(this.#pending)) {
      yield this.#pending.subarray(0, end);
      this.#pending = this.#pending.subarray(end);
    }
  }
}

/** Where the first line ends; undefined: it is not all there. */
function lineEnd(data: Buffer): number | undefined {
  for (let from = 0; ; ) {
    const at = data.indexOf("\r\n", from);
    if (at < 0) return undefined;
    const literal = literalAt(data, at);
    from = at + 2 + (literal ?? 0);
    if (from > data.length) return undefined;
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
