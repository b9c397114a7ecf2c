import { BackupError, type Source, findSecret } from "@backup/core";
import type { Foreign, MailItem } from "@backup/imap";
import { parseServer } from "@backup/imap/server";
import type { ActionContext } from "../action.js";
import { checkHome } from "../check-home.js";
import { plugins } from "../plugins.js";
import type { ActionOption } from "./action-type.js";

/** An account, as the command line names it. */
export interface AccountArguments {
  readonly user: string;
  readonly server: string;
  readonly srcsecret?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly folder: readonly string[];
  readonly excludeFolder: readonly string[];
  readonly namespace: readonly string[];
  /** Seconds. */
  readonly timeout: number;
  readonly connections: number;
}

const NONE: string[] = [];
const LONGEST_TIMEOUT_S = 24 * 60 * 60;
const MOST_CONNECTIONS = 16;

/** What says how to get at an account, and which of its folders count; for every command that does. */
export const ACCOUNT_OPTIONS = {
  srcsecret: {
    type: "string",
    requiresArg: true,
    isSecret: true,
    describe:
      "File with the password or an OAuth2 login, an absolute path; default /backup/USER.oauth2, /backup/USER.password",
  },
  "tls-ca": { type: "string", requiresArg: true, describe: "File of certificates to trust besides the system's" },
  folder: {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Only folders that match this glob; repeatable",
  },
  "exclude-folder": {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Not the folders that match this glob; repeatable",
  },
  namespace: {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Folders of others too: other (of other users), shared, or other,shared; default: your own alone",
  },
  timeout: {
    type: "number",
    requiresArg: true,
    default: 60,
    describe: "Seconds of silence until the server counts as lost",
  },
  connections: {
    type: "number",
    requiresArg: true,
    default: 4,
    describe: "Connections to the server at most; one that allows fewer is obeyed",
  },
} as const satisfies Record<string, ActionOption>;

/** @throws BackupError USAGE */
export function checkAccount(args: AccountArguments): void {
  const { user, server, timeout, connections, srcsecret, tlsCa, namespace } = args;
  if (user === "") throw new BackupError("USAGE", "USER is empty; give the logon name");
  checkHome({ "--srcsecret": srcsecret, "--tls-ca": tlsCa });
  parseServer(server);
  if (!(timeout > 0 && timeout <= LONGEST_TIMEOUT_S))
    throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
  if (!(Number.isInteger(connections) && connections >= 1 && connections <= MOST_CONNECTIONS))
    throw new BackupError("USAGE", `--connections takes a whole number from 1 to ${MOST_CONNECTIONS}`);
  namespacesOf(namespace);
}

/** @throws BackupError USAGE */
function namespacesOf(texts: readonly string[]): readonly Foreign[] {
  return texts
    .flatMap((text) => text.split(","))
    .map((name) => {
      if (name === "other" || name === "shared") return name;
      throw new BackupError("USAGE", `--namespace takes other, shared or other,shared, not '${name}'`);
    });
}

/** The account, which is connected to when it is used. */
export async function openAccount(
  args: AccountArguments,
  { onEvent, debug, secrets }: Pick<ActionContext, "onEvent" | "debug" | "secrets">,
): Promise<Source<MailItem>> {
  const { user, server, tlsCa, srcsecret, timeout, connections } = args;
  const namespaces = namespacesOf(args.namespace);
  const filter = { include: args.folder, exclude: args.excludeFolder, namespaces };
  const plugin = await plugins.load("imap");
  return await plugin.create(
    { user, server, tlsCa, filter, timeoutMs: timeout * 1000, connections },
    {
      onEvent,
      trace: debug,
      secret: (query) =>
        findSecret({ ...query, parameter: srcsecret, option: "--srcsecret", directory: secrets, onEvent }),
    },
  );
}
