/** What a dump program writes last, and only when all went well. */
const COMPLETED = /^-- Dump completed(?: on [^\n]*)?$/;
/** Bytes that are kept of the end. */
const KEPT = 256;

/** Looks at the bytes of a dump as they go by, and says whether they were all. */
export class WholeDump {
  #tail: Buffer = Buffer.alloc(0);

  see(piece: Uint8Array): void {
    const last = piece.byteLength >= KEPT ? piece.subarray(-KEPT) : piece;
    this.#tail = Buffer.concat([this.#tail, last]).subarray(-KEPT);
  }

  get isWhole(): boolean {
    const line = this.#tail.toString("latin1").trimEnd().split("\n").at(-1) ?? "";
    return COMPLETED.test(line);
  }
}

/** The same line, for what is written by this program. */
export const COMPLETED_LINE = "-- Dump completed\n";
