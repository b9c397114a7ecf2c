import { once } from "node:events";
import { type IncomingHttpHeaders, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Milliseconds of `performance.now()`. */
  readonly at: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly requests: readonly HttpRequest[];
}

/** An HTTP server on 127.0.0.1 that keeps what it gets. `hang` never answers; the default is 200. */
export async function startHttpServer(
  answer: (request: HttpRequest, count: number) => HttpAnswer | "hang" = () => ({ status: 200 }),
): Promise<HttpServer> {
  const requests: HttpRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    const { method = "", url = "", headers } = incoming;
    text(incoming).then(
      (body) => {
        const request = { method, path: url, headers, body, at: performance.now() };
        requests.push(request);
        const given = answer(request, requests.length);
        if (given === "hang") return;
        outgoing.writeHead(given.status, given.headers).end(given.body ?? "answered\n");
      },
      () => outgoing.destroy(),
    );
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}
