import { BackupError } from "@backup/core";

/** A server as a person names it: `[user@]host[:port][/database]`. */
export interface MysqlServer {
  /** Undefined: whom the client programs take, mostly the user of this system. */
  readonly user: string | undefined;
  /** `localhost`: by its socket. */
  readonly host: string;
  readonly port: number | undefined;
  /** This database alone. */
  readonly database: string | undefined;
}

export const DEFAULT_PORT = 3306;

/** @throws BackupError USAGE */
export function parseServer(text: string): MysqlServer {
  const match = /^(?:([^@/]*(?:@[^@/:]+)*?)@)?(\[[0-9a-fA-F:.]+\]|[^:/@[\]\s]+)(?::(\d{1,5}))?(?:\/(.*))?$/s.exec(text);
  const [, user, host, digits, database] = match ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || host.startsWith("-") || user === "" || (port !== undefined && (port < 1 || port > 65_535)))
    throw new BackupError("USAGE", `'${text}' names no server; write [user@]host[:port][/database]`);
  return { user, host: host.replace(/^\[|\]$/g, ""), port, database: database === "" ? undefined : database };
}

/** Whether it is on the machine where the client programs run. */
export function isLocal({ host }: Pick<MysqlServer, "host">): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** For messages, and for whose backup it is. */
export function nameOfServer({ host, port }: Pick<MysqlServer, "host" | "port">): string {
  const bracketed = host.includes(":") ? `[${host}]` : host;
  return port === undefined || port === DEFAULT_PORT ? bracketed : `${bracketed}:${port}`;
}
