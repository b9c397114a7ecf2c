import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { type Server as NetServer, type Socket, createServer } from "node:net";
import { join } from "node:path";
import { TLSSocket, createSecureContext, createServer as createTlsServer } from "node:tls";
import { makeCertificate } from "./certificate.js";
import { DEFAULT_CAPABILITIES, makeFolder } from "./fake-imap/build.js";
import { serve } from "./fake-imap/connection.js";
import type { FakeImap, FakeImapOptions } from "./fake-imap/model.js";
import type { Server } from "./fake-imap/session.js";
import { temporaryDirectory } from "./temporary-directory.js";

export {
  BARE_CAPABILITIES,
  DEFAULT_CAPABILITIES,
  lazyBytes,
  longLine,
  makeFolder,
  makeMessage,
} from "./fake-imap/build.js";
export type * from "./fake-imap/model.js";

/**
 * An IMAP server on the loopback that does what no real server does, as scripted. It never changes what it holds.
 * Disposing of it cuts every connection, and throws what a fault script threw.
 */
export async function startFakeImap(options: FakeImapOptions = {}): Promise<FakeImap> {
  const { cert, key } = options.certificate ?? (await makeCertificate());
  const directory = await temporaryDirectory();
  const caFile = join(directory.path, "ca.pem");
  await writeFile(caFile, cert);
  const secureContext = createSecureContext({ cert, key });

  const state: Server = {
    options,
    folders: options.folders ?? new Map([["INBOX", makeFolder()]]),
    capabilities: options.capabilities ?? DEFAULT_CAPABILITIES,
    fault: options.fault,
    commands: [],
    counts: new Map(),
    happened: new WeakMap(),
  };
  const sockets = new Set<Socket>();
  const errors: unknown[] = [];
  let connections = 0;
  const startTls = (socket: Socket) => new TLSSocket(socket, { isServer: true, secureContext });
  const accept = (socket: Socket, secure: boolean) => {
    const id = ++connections;
    serve({ socket, server: state, id, secure, startTls }).catch((error: unknown) => errors.push(error));
  };
  const plain = createServer((socket) => accept(socket, false));
  const tls = createTlsServer({ cert, key }, (socket) => accept(socket, true));
  for (const server of [plain, tls]) {
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
  }
  const [plainPort, tlsPort] = await Promise.all([listen(plain), listen(tls)]);

  return {
    host: "127.0.0.1",
    tlsPort,
    plainPort,
    caFile,
    ca: cert,
    commands: state.commands,
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
    get folders() {
      return state.folders;
    },
    set folders(folders) {
      state.folders = folders;
    },
    get capabilities() {
      return state.capabilities;
    },
    set capabilities(capabilities) {
      state.capabilities = capabilities;
    },
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
      state.counts.clear();
    },
    async [Symbol.asyncDispose]() {
      const closed = [plain, tls].map(async (server) => await once(server.close(), "close"));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
      await directory[Symbol.asyncDispose]();
      if (errors.length > 0) throw errors[0];
    },
  };
}

async function listen(server: NetServer): Promise<number> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return address.port;
}
