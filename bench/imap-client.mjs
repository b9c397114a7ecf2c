/**
 * As little IMAP as a benchmark needs. It looks for line ends and skips literals without touching their bytes, so what it
 * takes is what the server and TLS take: nothing that keeps the mail can be faster on one connection.
 */
import { connect as connectTls } from "node:tls";

/** One connection, logged in. One command at a time. */
class ImapClient {
  /** Bytes of all literals so far. */
  bytes = 0;
  /** FETCH responses so far. */
  rows = 0;
  #literalLeft = 0;
  #line = "";
  #tag = 0;
  /** @type {{ tag: string, lines?: string[], resolve: (lines: string[]) => void, reject: (error: Error) => void } | undefined} */
  #pending;

  /** @param {import("node:tls").TLSSocket} socket */
  constructor(socket) {
    this.socket = socket;
    const fail = (error) => this.#pending?.reject(error);
    socket.on("data", (chunk) => this.#scan(chunk));
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the server closed the connection")));
  }

  /**
   * Sends a command and waits for its tagged OK.
   *
   * @param {string} text
   * @param {{ keep?: boolean }} [options] keep: return the untagged lines
   * @returns {Promise<string[]>}
   * @throws when the answer is NO or BAD or the connection ends
   */
  command(text, { keep = false } = {}) {
    const tag = `t${++this.#tag}`;
    return new Promise((resolve, reject) => {
      this.#pending = { tag, lines: keep ? [] : undefined, resolve, reject };
      this.socket.write(`${tag} ${text}\r\n`);
    });
  }

  /** The names of all folders that can be opened, as the server writes them. */
  async folders() {
    const lines = await this.command('LIST "" "*"', { keep: true });
    return lines.flatMap((line) => {
      const found = /^\* LIST \(([^)]*)\) (?:NIL|"[^"]*") (.+)$/i.exec(line);
      return found && !/\\(?:Noselect|NonExistent)/i.test(found[1]) ? [found[2]] : [];
    });
  }

  /**
   * One `UID FETCH 1:*` of these items for every folder.
   *
   * @param {string} items
   */
  async fetchEverything(items) {
    for (const folder of await this.folders()) {
      await this.command(`EXAMINE ${folder}`);
      await this.command(`UID FETCH 1:* ${items}`);
    }
  }

  async logout() {
    await this.command("LOGOUT");
    this.socket.destroy();
  }

  /** @param {Buffer} chunk */
  #scan(chunk) {
    let at = 0;
    while (at < chunk.length) {
      if (this.#literalLeft > 0) {
        const skipped = Math.min(this.#literalLeft, chunk.length - at);
        this.#literalLeft -= skipped;
        this.bytes += skipped;
        at += skipped;
        continue;
      }
      const end = chunk.indexOf(10, at);
      this.#line += chunk.latin1Slice(at, end < 0 ? chunk.length : end);
      if (end < 0) return;
      at = end + 1;
      const line = this.#line;
      this.#line = "";
      this.#take(line);
    }
  }

  /** @param {string} line */
  #take(line) {
    const literal = /\{(\d+)\}\r?$/.exec(line);
    if (literal) this.#literalLeft = Number(literal[1]);
    if (line.startsWith("* ")) {
      if (/^\* \d+ FETCH /.test(line)) this.rows++;
      this.#pending?.lines?.push(line.trimEnd());
      return;
    }
    const pending = this.#pending;
    if (!pending || !line.startsWith(`${pending.tag} `)) return;
    this.#pending = undefined;
    if (line.startsWith(`${pending.tag} OK`)) pending.resolve(pending.lines ?? []);
    else pending.reject(new Error(`the server answered: ${line.trimEnd()}`));
  }
}

/**
 * @param {{ port: number, ca: string, user: string, password: string }} options ca: the certificate in PEM
 * @returns {Promise<ImapClient>}
 */
export const connect = async ({ port, ca, user, password }) => {
  const socket = connectTls({ port, host: "localhost", servername: "localhost", ca });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  const client = new ImapClient(socket);
  await client.command(`LOGIN ${user} ${password}`);
  return client;
};
