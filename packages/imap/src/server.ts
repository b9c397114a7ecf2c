import { BackupError } from "@backup/core";

/** Where an IMAP server listens, and how TLS starts there. */
export interface Server {
  readonly host: string;
  readonly port: number;
  /** `tls`: from the first byte (RFC 8314). `starttls`: required before the login (RFC 3501, section 6.2.1). */
  readonly security: "tls" | "starttls";
}

/**
 * Reads SERVER: `host` and `host:993` are TLS, `host:143` is STARTTLS; `imaps://host[:port]` and `imap://host[:port]`
 * say it outright. There is no way to ask for an unencrypted connection.
 * @throws BackupError USAGE
 */
export function parseServer(text: string): Server {
  const match = /^(?:(imaps?):\/\/)?(\[[0-9a-fA-F:.]+\]|[^:/@\s[\]]+)(?::(\d{1,5}))?\/?$/.exec(text);
  const [, scheme, rawHost, rawPort] = match ?? [];
  if (rawHost === undefined)
    throw new BackupError(
      "USAGE",
      `'${text}' is no server; write host, host:143, host:993, imaps://host:port or imap://host:port`,
    );
  const host = rawHost.replace(/^\[|\]$/g, "");
  const port = rawPort === undefined ? (scheme === "imap" ? 143 : 993) : Number(rawPort);
  if (port < 1 || port > 65535) throw new BackupError("USAGE", `'${text}': there is no port ${port}`);
  if (scheme !== undefined) return { host, port, security: scheme === "imaps" ? "tls" : "starttls" };
  if (port === 993) return { host, port, security: "tls" };
  if (port === 143) return { host, port, security: "starttls" };
  throw new BackupError(
    "USAGE",
    `port ${port} does not say how TLS starts; write imaps://${rawHost}:${port} for TLS, or imap://${rawHost}:${port} for STARTTLS`,
  );
}

/** The server as a person writes it. */
export function formatServer({ host, port, security }: Server): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${security === "tls" ? "imaps" : "imap"}://${name}:${port}`;
}
