/** An IMAP server of our own on 127.0.0.1, for one test file. */
export interface MailServer extends AsyncDisposable {
  /** TLS from the start. */
  readonly tlsPort: number;
  /** Plain, offers STARTTLS. */
  readonly starttlsPort: number;
  /** PEM file to trust: the server's certificate is its own authority. */
  readonly caFile: string;
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
  /** Where the server keeps the user's mail. */
  mailDir(user: string): string;
  /** Holds the configuration, the certificate and the log. */
  readonly configDir: string;
  /** What the server logged so far. */
  log(): Promise<string>;
  /** Ends the server and removes its files; once is enough, the same as disposing. */
  stop(): Promise<void>;
}

export const DEFAULT_USERS: Readonly<Record<string, string>> = { alice: "secret", bob: "secret" };
