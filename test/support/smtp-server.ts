import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerSession } from "smtp-server";
import type { Certificate } from "./certificate.js";

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** It came by TLS. */
  readonly secure: boolean;
  readonly user: string | undefined;
  /** What the client called itself. */
  readonly hello: string;
  /** As it came. */
  readonly raw: string;
  readonly headers: readonly string[];
  readonly text: string;
}

export interface SmtpOptions {
  /** TLS from the first byte. */
  readonly secure?: boolean;
  /** Without one, STARTTLS is not offered. */
  readonly certificate?: Certificate;
  /** Passwords by user; who has none may send nothing. */
  readonly users?: Readonly<Record<string, string>>;
  /** The login is offered without TLS too. */
  readonly allowInsecureAuth?: boolean;
  /** What is answered to a recipient; `undefined` accepts. Called with the number of the try, from 1. */
  readonly recipient?: (address: string, count: number) => Refusal | undefined;
  /** What is answered to a wrong password. */
  readonly wrongPassword?: (password: string) => string;
}

export interface Refusal {
  readonly code: number;
  readonly text: string;
}

export interface SmtpServer extends AsyncDisposable {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** Logins that were tried, as user and password. */
  readonly logins: readonly string[];
  readonly connections: () => number;
}

/** A mail server on 127.0.0.1 that keeps what it gets. */
export async function startSmtpServer(options: SmtpOptions = {}): Promise<SmtpServer> {
  const { secure = false, certificate, users, allowInsecureAuth = false } = options;
  const mails: ReceivedMail[] = [];
  const logins: string[] = [];
  let connections = 0;
  let recipients = 0;
  const server = new SMTPServer({
    secure,
    ...(certificate ? { cert: certificate.cert, key: certificate.key } : {}),
    disabledCommands: [...(users ? [] : ["AUTH"]), ...(certificate ? [] : ["STARTTLS"])],
    allowInsecureAuth,
    authOptional: users === undefined,
    disableReverseLookup: true,
    closeTimeout: 100,
    onConnect(_session, done) {
      connections++;
      done();
    },
    onAuth({ username = "", password = "" }, _session, done) {
      logins.push(`${username} ${password}`);
      if (users?.[username] === password) return done(null, { user: username });
      const text = options.wrongPassword?.(String(password)) ?? "5.7.8 wrong user or password";
      return done(Object.assign(new Error(text), { responseCode: 535 }));
    },
    onRcptTo({ address }, _session, done) {
      const refusal = options.recipient?.(address, ++recipients);
      done(refusal && Object.assign(new Error(refusal.text), { responseCode: refusal.code }));
    },
    onData(stream, session, done) {
      const bytes: Buffer[] = [];
      stream.on("data", (data: Buffer) => bytes.push(data));
      stream.on("end", () => {
        mails.push(receivedMail(Buffer.concat(bytes).toString("latin1"), session));
        done();
      });
    },
  });
  // A client that does not trust the certificate ends the connection.
  server.on("error", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    logins,
    connections: () => connections,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function receivedMail(raw: string, { envelope, secure, user, hostNameAppearsAs }: SMTPServerSession): ReceivedMail {
  const [head = "", ...rest] = raw.split("\r\n\r\n");
  return {
    from: envelope.mailFrom ? envelope.mailFrom.address : "",
    to: envelope.rcptTo.map(({ address }) => address),
    secure,
    user: typeof user === "string" ? user : undefined,
    hello: hostNameAppearsAs,
    raw,
    headers: head.replace(/\r\n[ \t]+/g, " ").split("\r\n"),
    text: decodeQuotedPrintable(rest.join("\r\n\r\n")),
  };
}

/** RFC 2045, section 6.7 */
function decodeQuotedPrintable(text: string): string {
  const bytes = text
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_all, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  return Buffer.from(bytes, "latin1").toString().replaceAll("\r\n", "\n");
}
