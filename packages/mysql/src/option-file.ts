import type { Secret } from "@backup/core";
import { DEFAULT_PORT, type MysqlServer, isLocal } from "./server.js";

/** How a connection to a server is protected; `none`: only where nobody else listens. */
export type Tls = "verify" | "none";

export interface Access {
  readonly server: MysqlServer;
  /** Undefined: the account has none, as with unix_socket. */
  readonly password: Secret | undefined;
  /** Unix socket of a local server; undefined: where the client programs look for it. */
  readonly socket: string | undefined;
  readonly tls: Tls;
  /** File of certificates that are trusted, PEM, on the machine where the client programs run. */
  readonly tlsCa: string | undefined;
}

/** Which family the client programs are of: their names for the same thing differ. */
export type Flavour = "mariadb" | "mysql";

/** Silence of the server until the client gives up connecting, seconds. */
const CONNECT_SECONDS = 30;

/**
 * The option file that client programs get instead of all others: so a password is in no argument and in no variable.
 * `loose-` options are ignored by programs that do not have them.
 */
export function optionFile(access: Access, flavour: Flavour): string {
  const { server, password } = access;
  const { user } = server;
  const lines = [
    ...(user === undefined ? [] : [`user=${quote(user)}`]),
    ...(password === undefined ? [] : [`password=${quote(password.reveal())}`]),
    ...addressOf(access),
    ...protectionOf(access, flavour),
    "default-character-set=utf8mb4",
  ];
  const programs = [
    ["client", ...lines],
    ["mysql", `connect-timeout=${CONNECT_SECONDS}`, "max-allowed-packet=1G"],
    ["mysqldump", "max-allowed-packet=1G"],
  ];
  return programs.map(([group, ...options]) => `[${group}]\n${options.join("\n")}\n`).join("");
}

function isBySocket({ host, port }: MysqlServer): boolean {
  return host === "localhost" && port === undefined;
}

function addressOf({ server, socket }: Access): readonly string[] {
  if (isBySocket(server)) return ["protocol=socket", ...(socket === undefined ? [] : [`socket=${quote(socket)}`])];
  return ["protocol=tcp", `host=${quote(server.host)}`, `port=${server.port ?? DEFAULT_PORT}`];
}

function protectionOf({ server, tls, tlsCa }: Access, flavour: Flavour): readonly string[] {
  if (isBySocket(server)) return [];
  const ca = tlsCa === undefined ? [] : [`ssl-ca=${quote(tlsCa)}`];
  if (flavour === "mysql") return tls === "verify" ? ["ssl-mode=VERIFY_IDENTITY", ...ca] : [];
  return tls === "verify" ? ["ssl", "ssl-verify-server-cert", ...ca] : ["loose-disable-ssl-verify-server-cert"];
}

/** TLS is for connections that leave the machine. */
export function defaultTls(server: MysqlServer): Tls {
  return isLocal(server) ? "none" : "verify";
}

/** As my_print_defaults(1) reads it back. */
function quote(value: string): string {
  const escaped = value.replace(/["\\\n\r\t]/g, (character) => ESCAPES[character] ?? character);
  return `"${escaped}"`;
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
