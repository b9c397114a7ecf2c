import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo, Server as NetServer } from "node:net";
import { BackupError, systemCode } from "@backup/core";

export interface Listening {
  readonly host: string;
  readonly port: number;
}

/** Reads `[host:]port`; without a host it is loopback. @throws BackupError USAGE */
export function parseListen(text: string): Listening {
  const [, host = "127.0.0.1", port = ""] = /^(?:(\[[0-9a-f:]+\]|[\w.-]+):)?(\d{1,5})$/i.exec(text) ?? [];
  if (port !== "" && Number(port) <= 65_535) return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  throw new BackupError("USAGE", `--listen takes a port, or host:port, as 127.0.0.1:9464, not '${text}'`);
}

/** What is answered to a path: text, or undefined for what there is none. */
export type Answer = (
  path: string,
) => Promise<{ readonly type: string; readonly text: string; readonly status?: number } | undefined>;

/** Answers GET until it is disposed of. @throws BackupError USAGE where it cannot listen */
export async function serve(
  { host, port }: Listening,
  answer: Answer,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    reply(request, response, answer).catch((error: unknown) => {
      response
        .writeHead(503, { "content-type": "text/plain" })
        .end(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw cannotListen(error, { host, port });
  }
  return listening(server, () => server.closeAllConnections());
}

/** A server that listens, until it is disposed of. */
export function listening(server: NetServer, drop: () => void): AsyncDisposable & { readonly url: string } {
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(":") ? `[${address}]` : address}:${port}/`,
    async [Symbol.asyncDispose]() {
      server.close();
      drop();
      await once(server, "close");
    },
  };
}

async function reply({ method, url = "/" }: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  if (method !== "GET" && method !== "HEAD") return void response.writeHead(405).end();
  const found = await answer(url.replace(/\?.*$/s, ""));
  if (!found) return void response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
  response.writeHead(found.status ?? 200, { "content-type": found.type }).end(method === "HEAD" ? "" : found.text);
}

export function cannotListen(error: unknown, { host, port }: Listening): BackupError {
  const code = systemCode(error) ?? "unknown error";
  const why = code === "EADDRINUSE" ? "something else listens there" : code;
  return new BackupError("USAGE", `nothing can be served at ${host}:${port} (${why}); choose another --listen`, {
    cause: error,
  });
}
