import { once } from "node:events";
import { type Socket, connect } from "node:net";

/** A client without manners, for what no IMAP library sends or shows: every command is tagged `t`, text is latin1. */
export class RawClient {
  /** Settles when the connection has ended. */
  readonly closed: Promise<unknown>;
  readonly #socket: Socket;
  #input = "";
  #open = true;
  #wake: (() => void) | undefined;

  private constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (chunk) => {
      this.#input += chunk.toString("latin1");
      this.#wake?.();
    });
    // A connection that is cut while we write: `close` follows.
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#open = false;
      this.#wake?.();
    });
    this.closed = once(this.#socket, "close");
  }

  /** Connects to a plain port and leaves the greeting to be read. */
  static async connect(port: number): Promise<RawClient> {
    const client = new RawClient(port);
    await once(client.#socket, "connect");
    return client;
  }

  write(command: string): void {
    this.#socket.write(`t ${command}\r\n`, "latin1");
  }

  /** Sends a command and reads its answer. */
  async send(command: string): Promise<string> {
    this.write(command);
    return await this.read(/^t (OK|NO|BAD).*\r\n/m);
  }

  /** Everything up to what matches, or to the end of the connection. */
  async read(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#input) && this.#open) await this.#more();
    const answer = this.#input;
    this.#input = "";
    return answer;
  }

  /** Reads and drops everything up to a chunk that ends so, or to the end of the connection. Returns the bytes. */
  async skip(ending: string): Promise<number> {
    for (let bytes = 0; ; ) {
      const chunk = await this.read(/[^]/);
      bytes += chunk.length;
      if (chunk.endsWith(ending) || !this.#open) return bytes;
    }
  }

  /** Takes nothing more from the connection. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
