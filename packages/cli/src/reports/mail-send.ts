import type { BackupError, Secret } from "@backup/core";
import { type SendMailOptions, createTransport } from "nodemailer";
import type { MailAddress } from "./mail-address.js";
import { mailError } from "./mail-errors.js";
import { type MailServer, isLoopback } from "./mail-server.js";

/** How mails leave this machine. */
export interface MailRoute {
  readonly server: MailServer;
  /** Of the server's user. Undefined: nobody logs in. */
  readonly password: Secret | undefined;
  /** Certificates (PEM) that are trusted instead of the usual ones. */
  readonly ca: readonly string[] | undefined;
  /** What this machine calls itself. */
  readonly hostname: string;
}

export interface Mail {
  readonly from: MailAddress;
  readonly to: readonly MailAddress[];
  readonly messageId: string;
  readonly subject: string;
  readonly text: string;
}

export interface Refused {
  /** Who did not get it. */
  readonly addresses: readonly string[];
  readonly error: BackupError;
}

/** Of each step: the name, the connection, the greeting, any answer. Milliseconds. */
const TIMEOUT_MS = 15_000;

/**
 * Sends a mail to these of its recipients; returns who of them was refused while others were not. A password is sent over
 * TLS alone, and a certificate is always verified.
 * @throws BackupError REPORT_FAILED when nobody got it, transient where another try may help
 */
export async function sendMail(
  route: MailRoute,
  { from, to, messageId, subject, text }: Mail,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Refused | undefined> {
  const { server, password } = route;
  const mail: SendMailOptions = {
    from,
    to: [...to],
    envelope: { from: from.address, to: [...addresses] },
    messageId,
    subject,
    text,
    // Neither cut nor joined again on the way: it has columns.
    textEncoding: "quoted-printable",
    // No answer of somebody who is on holiday (RFC 3834, section 5).
    headers: { "Auto-Submitted": "auto-generated" },
    signal,
  };
  try {
    const { rejected, rejectedErrors } = await openTransport(route).sendMail(mail);
    if (rejected.length === 0) return undefined;
    return { addresses: rejected, error: mailError(rejectedErrors?.[0], { server, to: rejected, password }) };
  } catch (error) {
    throw mailError(error, { server, to: addresses, password });
  }
}

function openTransport({ server, password, ca, hostname }: MailRoute) {
  return createTransport({
    host: server.host,
    port: server.port,
    secure: server.tls,
    name: hostname,
    requireTLS: password !== undefined,
    // The certificate of a local server is signed by nobody, and there is nobody in between.
    ignoreTLS: password === undefined && ca === undefined && isLoopback(server),
    ...(password === undefined ? {} : { auth: { user: server.user, pass: password.reveal() } }),
    tls: { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca: [...ca] }) },
    dnsTimeout: TIMEOUT_MS,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // The process does not wait for a server that has what it was sent.
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}
