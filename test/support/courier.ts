import { execFile, spawn } from "node:child_process";
import { access, chmod, mkdir } from "node:fs/promises";
import { type Server, type Socket, createServer } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { TLSSocket, createSecureContext } from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeCertificate, writeCertificate } from "./certificate.js";
import { DEFAULT_USERS, type MailServer } from "./mail-server.js";
import { temporaryDirectory } from "./temporary-directory.js";

const run = promisify(execFile);

// Debian's courier-imap conflicts with dovecot-imapd; `npm test` unpacks it here without installing it.
const COURIER = fileURLToPath(new URL("../../node_modules/.cache/courier", import.meta.url));
const IMAPD = join(COURIER, "usr/bin/imapd");
const ENVIRONMENT = {
  PATH: "/usr/bin:/bin",
  LD_LIBRARY_PATH: ["lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"]
    .map((name) => join(COURIER, "usr", name))
    .join(":"),
  PROTOCOL: "IMAP",
  TCPREMOTEIP: "127.0.0.1",
  TCPREMOTEPORT: "0",
  IMAP_STARTTLS: "NO",
  IMAP_KEYWORDS: "1",
  IMAP_USELOCKS: "0",
  IMAP_CAPABILITY: "IMAP4rev1 CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT SORT QUOTA",
};

/** A session before it is imapd's. */
interface Caller {
  socket: Socket;
  secure: boolean;
}

/**
 * Starts a private Courier 5 (Debian package courier-imap): a plain server, without UIDPLUS, LIST-STATUS and CONDSTORE,
 * whose folders are all below INBOX. Its authdaemond has its paths built in, so TLS and the login are ours, and everything
 * after the login is Courier's imapd. It needs root.
 */
export async function startCourier(): Promise<MailServer> {
  await access(IMAPD).catch(() => {
    throw new Error(`${IMAPD} is missing: run \`npm test\` once, it downloads it`);
  });
  const users = DEFAULT_USERS;
  const directory = await temporaryDirectory();
  const root = directory.path;
  await chmod(root, 0o755);
  for (const user of Object.keys(users)) {
    for (const leaf of ["cur", "new", "tmp"]) await mkdir(join(root, user, "Maildir", leaf), { recursive: true });
  }
  await run("chown", ["-R", "mail:mail", root]);
  const certificate = await makeCertificate();
  const files = await writeCertificate(certificate, root);
  const secureContext = createSecureContext(certificate);
  const sockets = new Set<Socket>();
  const log: string[] = [];

  const secured = ({ socket }: Caller): Caller => ({
    socket: new TLSSocket(socket, { isServer: true, secureContext }),
    secure: true,
  });
  const hand = ({ socket }: Caller, user: string, tag: string): void => {
    const home = join(root, user);
    const environment = { ...ENVIRONMENT, HOME: home, IMAPLOGINTAG: tag, AUTHENTICATED: user, AUTHADDR: user };
    const who = ["--pdeathsig", "TERM", "--reuid", "mail", "--regid", "mail", "--clear-groups"];
    const child = spawn("setpriv", [...who, IMAPD, "Maildir"], { cwd: home, env: environment });
    child.stderr.on("data", (data: Buffer) => log.push(data.toString()));
    child.stdin.on("error", () => socket.destroy());
    socket.on("close", () => child.stdin.destroy());
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
  };
  const accept = async (caller: Caller, greet: boolean): Promise<void> => {
    const { socket, secure } = caller;
    socket.on("error", () => socket.destroy());
    const capabilities = `IMAP4rev1 LOGINDISABLED ${secure ? "AUTH=PLAIN" : "STARTTLS"}`;
    if (greet) socket.write(`* OK [CAPABILITY ${capabilities}] ready\r\n`);
    const line = await readLine(socket);
    const [, tag = "*", command = ""] = /^(\S+) (\S+)/.exec(line ?? "") ?? [];
    if (line === undefined) return;
    if (command === "STARTTLS" && !secure) {
      socket.write(`${tag} OK begin TLS\r\n`);
      return await accept(secured(caller), false);
    }
    if (command === "AUTHENTICATE" && secure) {
      socket.write("+ \r\n");
      const [, user = "", password = ""] = Buffer.from((await readLine(socket)) ?? "", "base64")
        .toString()
        .split("\0");
      if (users[user] === password) return hand(caller, user, tag);
    }
    if (command === "CAPABILITY") socket.write(`* CAPABILITY ${capabilities}\r\n`);
    socket.write(`${tag} ${command === "CAPABILITY" ? "OK done" : "NO [AUTHENTICATIONFAILED] no"}\r\n`);
    return await accept(caller, false);
  };
  const listen = async (begin: (socket: Socket) => Caller): Promise<{ server: Server; port: number }> => {
    const server = createServer((socket) => {
      sockets.add(socket);
      void accept(begin(socket), true);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("not listening on a port");
    return { server, port: address.port };
  };
  const tls = await listen((socket) => secured({ socket, secure: false }));
  const plain = await listen((socket) => ({ socket, secure: false }));

  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    for (const { server } of [tls, plain]) server.close();
    await directory[Symbol.asyncDispose]();
  };
  return {
    tlsPort: tls.port,
    starttlsPort: plain.port,
    users,
    stop,
    caFile: files.certFile,
    configDir: root,
    mailDir: (user) => join(root, user, "Maildir"),
    log: async () => await Promise.resolve(log.join("")),
    [Symbol.asyncDispose]: stop,
  };
}

/** One line, and nothing of what follows it; undefined: the connection is closed. */
async function readLine(socket: Socket): Promise<string | undefined> {
  let line = "";
  for (;;) {
    const byte = socket.read(1) as Buffer | null;
    if (byte === null) {
      if (socket.readableEnded || socket.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          for (const name of ["readable", "end", "close"]) socket.off(name, done);
          resolve();
        };
        for (const name of ["readable", "end", "close"]) socket.on(name, done);
      });
    } else if (byte[0] === 10) return line.replace(/\r$/, "");
    else line += byte.toString("latin1");
  }
}
