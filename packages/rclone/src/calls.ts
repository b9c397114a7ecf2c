import { Agent, type IncomingMessage, request } from "node:http";
import { BackupError, systemCode, throwIfAborted } from "@backup/core";
import type { Daemon } from "./daemon.js";

/** What rclone answers: JSON. */
export type Answer = Readonly<Record<string, unknown>>;

/** An error that rclone answers with; its text is not for a person yet, and may hold anything. */
export class RcloneFault extends Error {
  override readonly name = "RcloneFault";

  /** @param status as HTTP has it; 404 where what was asked for is not there */
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What a request of a person's file may send back at most, and what is told of an error, bytes. */
const ERROR_BYTES = 64 * 1024;

/** Requests to a daemon, any number at once. */
export class Calls implements AsyncDisposable {
  readonly #daemon: Daemon;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  /** Has it do something (rclone.org/rc, "Supported commands"). @throws RcloneFault, BackupError ABORTED, CONNECTION_LOST */
  async call(command: string, parameters: Answer, signal: AbortSignal): Promise<Answer> {
    const body = Buffer.from(JSON.stringify(parameters));
    const answer = await this.#send({ method: "POST", path: `/${command}`, body, range: undefined }, signal);
    const text = (await collect(answer, Number.POSITIVE_INFINITY)).toString();
    const parsed: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof parsed !== "object" || parsed === null) throw new RcloneFault(500, "the answer is no object");
    const fields = parsed as Answer;
    if (answer.statusCode === 200) return fields;
    throw new RcloneFault(answer.statusCode ?? 500, String(fields["error"]));
  }

  /**
   * A file's bytes (rclone.org/rc, "--rc-serve"), or the first ones.
   * @param path as rclone writes it, from the top of the remote `fs`
   * @throws RcloneFault, BackupError ABORTED, CONNECTION_LOST
   */
  async read(
    { fs, path, first }: { readonly fs: string; readonly path: string; readonly first?: number | undefined },
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const escaped = path.split("/").map(encodeURIComponent).join("/");
    const range = first === undefined ? undefined : `bytes=0-${first - 1}`;
    const target = `/%5B${encodeURIComponent(fs)}%5D/${escaped}`;
    const answer = await this.#send({ method: "GET", path: target, body: undefined, range }, signal);
    if (answer.statusCode === 200 || answer.statusCode === 206) return answer;
    const text = (await collect(answer, ERROR_BYTES)).toString().trim();
    throw new RcloneFault(answer.statusCode ?? 500, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
  }

  async #send(
    {
      method,
      path,
      body,
      range,
    }: { method: string; path: string; body: Buffer | undefined; range: string | undefined },
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    throwIfAborted(signal);
    const { port, user, password, ended } = this.#daemon;
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      const headers = {
        ...(body ? { "content-type": "application/json", "content-length": body.byteLength } : {}),
        ...(range === undefined ? {} : { range }),
      };
      const auth = `${user}:${password.reveal()}`;
      const asked = request({ host: "127.0.0.1", port, method, path, headers, auth, agent: this.#agent, signal });
      asked.on("response", resolve).on("error", reject).end(body);
    });
    try {
      return await Promise.race([answer, ended]);
    } catch (error) {
      throwIfAborted(signal);
      if (!/^E(?:CONN|PIPE)/.test(systemCode(error) ?? "")) throw error;
      throw new BackupError("CONNECTION_LOST", "rclone ended while it was needed; run again", {
        transient: true,
        cause: error,
      });
    }
  }
}

/** All bytes, or the first so many. */
async function collect(answer: IncomingMessage, most: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    if (bytes < most) pieces.push(piece);
    bytes += piece.byteLength;
  }
  return Buffer.concat(pieces);
}
