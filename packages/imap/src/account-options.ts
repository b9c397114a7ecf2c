import { BackupError, type PluginOptions, type Positional, checkHome } from "@backup/core";
import { parseServer } from "./server.js";

const LONGEST_TIMEOUT_S = 24 * 60 * 60;
const MOST_CONNECTIONS = 16;

export const SERVER = {
  name: "server",
  describe: "host or host:993 for TLS, host:143 for STARTTLS, imaps://host:port, imap://host:port",
} as const satisfies Positional;

/** What is said of an account, whether it is read or written. */
export const ACCOUNT_OPTIONS = {
  srcsecret: {
    type: "string",
    isSecret: true,
    describe:
      "File with the password or an OAuth2 login, an absolute path; default /backup/USER.oauth2, /backup/USER.password",
  },
  "tls-ca": { type: "string", describe: "File of certificates to trust besides the system's" },
  folder: { type: "string", array: true, describe: "Only folders that match this glob; repeatable" },
  timeout: { type: "number", default: 60, describe: "Seconds of silence until the server counts as lost" },
  connections: {
    type: "number",
    default: 4,
    describe: "Connections to the server at most; one that allows fewer is obeyed",
  },
} as const satisfies PluginOptions;

export interface AccountArguments {
  readonly user: string;
  readonly server: string;
  readonly srcsecret?: string | undefined;
  readonly tlsCa?: string | undefined;
  /** Seconds. */
  readonly timeout: number;
  readonly connections: number;
}

/** @throws BackupError USAGE */
export function checkAccount({ user, server, timeout, connections, srcsecret, tlsCa }: AccountArguments): void {
  if (user === "") throw new BackupError("USAGE", "USER is empty; give the logon name");
  checkHome({ "--srcsecret": srcsecret, "--tls-ca": tlsCa });
  parseServer(server);
  if (!(timeout > 0 && timeout <= LONGEST_TIMEOUT_S))
    throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
  if (!(Number.isInteger(connections) && connections >= 1 && connections <= MOST_CONNECTIONS))
    throw new BackupError("USAGE", `--connections takes a whole number from 1 to ${MOST_CONNECTIONS}`);
}
