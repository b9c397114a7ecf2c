import { isIP } from "node:net";
import { BackupError, Secret } from "@backup/core";

/** A mail server, and who logs in there. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte; otherwise STARTTLS (RFC 3207). */
  readonly tls: boolean;
  readonly user?: string | undefined;
  /** Where the address held one, which it should not. */
  readonly password?: Secret | undefined;
}

export interface MailServerOptions {
  readonly ssl?: boolean | undefined;
  /** What the text was given as, for messages. */
  readonly setting: string;
}

/**
 * Reads `smtp://[user@]host[:port]`, `smtps://…`, or the same without its scheme. Port 465 means TLS (RFC 8314).
 * @throws BackupError USAGE, which does not repeat the text: it may hold a password
 */
export function parseMailServer(text: string, { ssl, setting }: MailServerOptions): MailServer {
  const url = readUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `smtp://${text}`);
  const isExact = url !== undefined && /^\/?$/.test(url.pathname) && url.search === "" && url.hash === "";
  if (!isExact || url.hostname === "" || !/^smtps?:$/.test(url.protocol))
    throw new BackupError("USAGE", `${setting} takes smtp://[user@]host[:port] or smtps://[user@]host[:port]`);
  const isSmtps = url.protocol === "smtps:";
  if (isSmtps && ssl === false)
    throw new BackupError("USAGE", `${setting} says smtps, which is TLS, and --ssl says that it is not; change one`);
  const tls = ssl ?? (isSmtps || url.port === "465");
  const user = decoded(url.username, setting);
  const password = decoded(url.password, setting);
  if (password !== "" && user === "") throw new BackupError("USAGE", `${setting} holds a password and no user`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (tls ? 465 : 25) : Number(url.port),
    tls,
    user: user === "" ? undefined : user,
    password: password === "" ? undefined : new Secret(password),
  };
}

/** The server as a person writes it, without user and password. */
export function formatMailServer({ host, port, tls }: MailServer): string {
  return `${tls ? "smtps" : "smtp"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Whether what is sent there stays on this machine. */
export function isLoopback({ host }: MailServer): boolean {
  return host.toLowerCase() === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function readUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function decoded(text: string, setting: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new BackupError("USAGE", `${setting}: a % in the user's name is written %25`, { cause: error });
  }
}
