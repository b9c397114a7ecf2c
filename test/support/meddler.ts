import { once } from "node:events";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";
import { TLSSocket, createSecureContext } from "node:tls";
import type { AnswerFault, Struck } from "./answer-faults.js";
import { AnswerReader } from "./answer-reader.js";
import type { Certificate } from "./certificate.js";

export interface MeddlerOptions {
  /** Plain port of 127.0.0.1 of the IMAP server. */
  readonly target: number;
  /** What it shows to clients. */
  readonly certificate: Certificate;
  readonly security: "tls" | "starttls";
  /** Extensions that the server has and clients do not get to see. */
  readonly hidden?: readonly string[];
  /** Asked before each command, without its tag, and before the greeting, as `GREETING`. */
  readonly faultOf?: (command: string) => AnswerFault | undefined;
}

/** A man in the middle on 127.0.0.1: ends the TLS of clients, and knows what is asked and answered. */
export interface Meddler extends AsyncDisposable {
  readonly port: number;
  /** Every command so far, without its tag, in the order in which they came; a new connection is `GREETING`. */
  readonly commands: readonly string[];
  /** Answers that a fault replaced. */
  readonly struck: number;
  /** Connections that are open now. */
  readonly open: number;
}

export async function startMeddler(options: MeddlerOptions): Promise<Meddler> {
  const { target, certificate, security, hidden = [], faultOf = () => undefined } = options;
  const secureContext = createSecureContext(certificate);
  const links = new Set<Link>();
  const commands: string[] = [];
  let struck = 0;
  const ask = (command: string): AnswerFault | undefined => {
    commands.push(command);
    const fault = faultOf(command);
    if (fault) struck++;
    return fault;
  };
  const server = createServer({ noDelay: true }, (socket) => {
    const upstream = connect({ port: target, host: "127.0.0.1", noDelay: true });
    const secure = (): TLSSocket => new TLSSocket(socket, { isServer: true, secureContext });
    const link = new Link({ socket, upstream, secure, hidden, ask });
    links.add(link);
    socket.on("close", () => links.delete(link));
    link.start(security);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    get struck() {
      return struck;
    },
    get open() {
      return links.size;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const link of links) link.destroy();
      await closed;
    },
  };
}

interface LinkOptions {
  readonly socket: Socket;
  readonly upstream: Socket;
  readonly secure: () => TLSSocket;
  readonly hidden: readonly string[];
  readonly ask: (command: string) => AnswerFault | undefined;
}

/** A command whose answer is not all there yet. */
interface Pending {
  readonly tag: string;
  readonly fault: AnswerFault | undefined;
  readonly rows: Buffer[];
  /** What the client sends before the answer is the rest of the command: a password, or a literal. */
  readonly takesMore: boolean;
}

/** One connection. Clients may send commands before the answer to the one before. */
class Link {
  readonly #options: LinkOptions;
  #client: Socket;
  /** In the order in which they are answered. */
  readonly #pending: Pending[] = [];
  /** The beginning of a line of the client. */
  #sent = Buffer.alloc(0);
  #silent = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#client = options.socket;
  }

  start(security: "tls" | "starttls"): void {
    const { socket, upstream, ask } = this.#options;
    // Whoever ends, ends both; what one of them did not get shows there.
    for (const one of [socket, upstream]) one.on("error", () => this.destroy());
    socket.on("close", () => upstream.destroy());
    upstream.on("close", () => void (this.#silent || this.#client.end()));
    this.#pending.push({ tag: "", fault: ask("GREETING"), rows: [], takesMore: true });
    if (security === "tls") this.#upgrade();
    else this.#listen();
    const reader = new AnswerReader();
    upstream.on("data", (data: Buffer) => {
      for (const line of reader.take(data)) this.#answer(line);
    });
  }

  readonly destroy = (): void => {
    this.#options.upstream.destroy();
    this.#client.destroy();
    this.#options.socket.destroy();
  };

  #upgrade(): void {
    this.#client.removeAllListeners("data");
    this.#client = this.#options.secure();
    this.#client.on("error", this.destroy);
    this.#client.on("close", this.destroy);
    this.#listen();
  }

  #listen(): void {
    this.#client.on("data", (data: Buffer) => this.#command(data));
  }

  #command(data: Buffer): void {
    if (this.#silent) return;
    const { upstream, ask } = this.#options;
    this.#sent = Buffer.concat([this.#sent, data]);
    while (this.#sent.length > 0) {
      const isMore = this.#pending.at(-1)?.takesMore === true;
      const length = isMore ? this.#sent.length : this.#sent.indexOf("\r\n") + 2;
      if (length < 2 && !isMore) return;
      const bytes = this.#sent.subarray(0, length);
      this.#sent = this.#sent.subarray(length);
      if (isMore) {
        upstream.write(bytes);
        continue;
      }
      const line = bytes.toString("latin1").trimEnd();
      const space = line.indexOf(" ");
      const [tag, command] = [line.slice(0, space), line.slice(space + 1)];
      const takesMore = /^(?:AUTHENTICATE|IDLE)\b|\{\d+\+?\}$/i.test(command);
      this.#pending.push({ tag, fault: ask(command), rows: [], takesMore });
      if (command === "STARTTLS") this.#startTls(tag);
      else upstream.write(bytes);
    }
  }

  /** The server does not hear of it: on its side all is plain. */
  #startTls(tag: string): void {
    const ok = Buffer.from(`${tag} OK begin\r\n`);
    const fault = this.#pending[0]?.fault;
    const isRefused = fault && !fault({ tag, rows: [], end: ok }).bytes.includes(ok);
    this.#answer(ok);
    if (!isRefused) this.#upgrade();
  }

  #answer(line: Buffer): void {
    if (this.#silent) return;
    const [pending] = this.#pending;
    if (!pending) return void this.#client.write(line);
    const isGreeting = pending.tag === "";
    const isEnd = line.toString("latin1", 0, pending.tag.length + 1) === `${pending.tag} `;
    const shown = this.#shown(line);
    if (!isGreeting && !isEnd) {
      // Without its `+` the client would not go on.
      if (!pending.fault || line[0] === PLUS) this.#client.write(shown);
      else pending.rows.push(shown);
      return;
    }
    this.#pending.shift();
    if (!pending.fault) return void this.#client.write(shown);
    const answer = isGreeting ? { rows: [shown], end: Buffer.alloc(0) } : { rows: pending.rows, end: shown };
    this.#strike(pending.fault({ tag: pending.tag, ...answer }));
  }

  #strike({ bytes, after }: Struck): void {
    const client = this.#client;
    this.#silent = after !== "go on";
    if (after === "flood") return this.#flood(bytes);
    client.write(bytes, () => {
      if (after === "end") client.end();
      if (after === "cut") this.destroy();
    });
  }

  /** As fast as the client takes it, until it is gone. */
  #flood(bytes: Buffer): void {
    if (this.#client.destroyed) return;
    this.#client.write(bytes, () => setImmediate(() => this.#flood(bytes)));
  }

  #shown(line: Buffer): Buffer {
    const { hidden } = this.#options;
    const text = line.toString("latin1");
    if (hidden.length === 0 || !/^[^{]*\bCAPABILITY\b/.test(text)) return line;
    return Buffer.from(
      text.replace(/[^\s[\]]+/g, (word) => (hidden.includes(word) ? "XHIDDEN" : word)),
      "latin1",
    );
  }
}

const PLUS = "+".charCodeAt(0);
