import type { Socket } from "node:net";

const FLUSH_BYTES = 64 * 1024;

/** The connection is gone, or was ended on purpose: unwinds whatever was being answered. */
export class WireClosed extends Error {}

/** One connection: lines in, bytes out, with back-pressure. Text is latin1, one byte a character. */
export class Wire {
  readonly #closed: Promise<void>;
  #socket: Socket;
  #input = Buffer.alloc(0);
  #output: Uint8Array[] = [];
  #outputBytes = 0;
  #wake = () => {};
  #gone = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#gone = true;
        this.#wake();
        resolve();
      });
    });
    this.#listen(socket);
  }

  /** Without its CRLF. @throws WireClosed */
  async line(): Promise<string> {
    for (let from = 0; ; ) {
      const end = this.#input.indexOf(10, from);
      if (end >= 0) return this.#take(end + 1).replace(/\r?\n$/, "");
      from = this.#input.length;
      await this.#more();
    }
  }

  /** The line that will be next, when it has come; it stays to be read. @throws WireClosed */
  async upcoming(): Promise<string> {
    while (!this.#input.includes(10)) await this.#more();
    return this.#input.toString("latin1", 0, this.#input.indexOf(10)).trimEnd();
  }

  /** @throws WireClosed */
  async exactly(bytes: number): Promise<string> {
    while (this.#input.length < bytes) await this.#more();
    return this.#take(bytes);
  }

  /** Buffered up to 64 KiB; waits until the peer takes what is more. @throws WireClosed */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    this.#output.push(bytes);
    this.#outputBytes += bytes.length;
    if (this.#outputBytes >= FLUSH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#gone) throw new WireClosed();
    if (this.#outputBytes === 0) return;
    const bytes = Buffer.concat(this.#output);
    this.#output = [];
    this.#outputBytes = 0;
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(new WireClosed()) : resolve()));
    });
  }

  /** Sends what is buffered, then drops the connection: no LOGOUT, no close_notify. */
  async cut(): Promise<never> {
    await this.flush();
    this.destroy();
    throw new WireClosed();
  }

  /** Sends what is buffered, then closes in good order. */
  async close(): Promise<never> {
    await this.flush();
    this.#socket.end(() => this.destroy());
    await this.#closed;
    throw new WireClosed();
  }

  /** Silent until the peer gives up. */
  async stall(): Promise<never> {
    await this.flush();
    await this.#closed;
    throw new WireClosed();
  }

  /** Goes on over another socket that wraps this one; what came in before is dropped (RFC 3501 section 6.2.1). */
  upgrade(wrap: (socket: Socket) => Socket): void {
    this.#socket.removeAllListeners("data");
    this.#input = Buffer.alloc(0);
    const socket = this.#socket;
    this.#socket = wrap(socket);
    this.#socket.once("close", () => socket.destroy());
    this.#listen(this.#socket);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    socket.on("error", () => this.destroy());
    socket.on("data", (chunk: Buffer) => {
      this.#input = Buffer.concat([this.#input, chunk]);
      this.#wake();
    });
  }

  #take(bytes: number): string {
    const taken = this.#input.toString("latin1", 0, bytes);
    this.#input = this.#input.subarray(bytes);
    return taken;
  }

  async #more(): Promise<void> {
    if (this.#gone) throw new WireClosed();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#gone) throw new WireClosed();
  }
}
