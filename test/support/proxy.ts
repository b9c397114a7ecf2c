import { once } from "node:events";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";
import { type Relay, relay } from "./relay.js";

/**
 * What happens to a connection when the server has sent it that many bytes.
 * - `cut`: these bytes arrive, then the connection is reset on both sides (ECONNRESET).
 * - `truncate`: these bytes arrive, then the client sees an orderly end.
 * - `stall`: these bytes arrive, then nothing in either direction; the connection stays open.
 */
export interface Fault {
  readonly kind: "cut" | "truncate" | "stall";
  /** Bytes from the server, counted from the start of the connection. */
  readonly afterBytes: number;
  /** How many connections it may strike. Default: all. */
  readonly times?: number;
}

export interface ProxyOptions {
  /** Port of 127.0.0.1 to forward to. */
  readonly target: number;
  /** One way, so a round trip takes twice as long. Default 0. */
  readonly latencyMs?: number;
  readonly fault?: Fault;
}

/** A TCP proxy on 127.0.0.1 that can be told to misbehave, at any time, also to connections that are open. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  latencyMs: number;
  /** Setting one starts its count of `times` anew. */
  fault: Fault | undefined;
  /** Bytes forwarded so far, over all connections. */
  readonly bytes: { readonly fromClient: number; readonly fromServer: number };
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Connections that a fault struck so far. */
  readonly struck: number;
  /** Resets every open connection; new ones are accepted. */
  cutAll(): void;
  stop(): Promise<void>;
}

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const links = new Set<{ readonly sockets: readonly Socket[] }>();
  const bytes = { fromClient: 0, fromServer: 0 };
  let fault = options.fault;
  let left = fault?.times ?? Number.POSITIVE_INFINITY;
  let connections = 0;
  let struck = 0;
  let latencyMs = options.latencyMs ?? 0;

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    connections++;
    const upstream = connect({ port: options.target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const link = { sockets: [client, upstream] };
    links.add(link);
    const end = (): void => {
      links.delete(link);
      for (const socket of link.sockets) socket.destroy();
    };
    const reset = (): void => {
      for (const socket of link.sockets) socket.resetAndDestroy();
    };
    for (const socket of link.sockets) socket.on("error", reset).on("close", end);

    let sent = 0;
    const delay = (): number => latencyMs;
    const toServer = relay({ from: client, to: upstream, delay, accept: (data) => count("fromClient", data) });
    const toClient: Relay = relay({ from: upstream, to: client, delay, accept: (data) => strike(data) });

    function count(direction: keyof typeof bytes, data: Buffer): Buffer {
      bytes[direction] += data.length;
      return data;
    }

    /** What of these bytes the client gets. */
    function strike(data: Buffer): Buffer {
      const rest = fault === undefined ? data.length : Math.max(0, fault.afterBytes - sent);
      sent += data.length;
      if (fault === undefined || left <= 0 || data.length <= rest) return count("fromServer", data);
      left--;
      struck++;
      toServer.stop();
      // Nobody forwards the client's end any more.
      client.on("end", end);
      // A reset that meets unread bytes looks like an orderly end to Node: the client gets time to read them.
      const cut = (): void => void setTimeout(reset, 20);
      toClient.finish({ cut, truncate: () => client.end(), stall: () => {} }[fault.kind]);
      return count("fromServer", data.subarray(0, rest));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const cutAll = (): void => {
    for (const { sockets } of links) for (const socket of sockets) socket.resetAndDestroy();
  };
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    cutAll();
    await closed;
  };
  return {
    port: (server.address() as AddressInfo).port,
    get latencyMs() {
      return latencyMs;
    },
    set latencyMs(value) {
      latencyMs = value;
    },
    get fault() {
      return fault;
    },
    set fault(value) {
      fault = value;
      left = value?.times ?? Number.POSITIVE_INFINITY;
    },
    bytes,
    cutAll,
    stop,
    get connections() {
      return connections;
    },
    get open() {
      return links.size;
    },
    get struck() {
      return struck;
    },
    [Symbol.asyncDispose]: stop,
  };
}
