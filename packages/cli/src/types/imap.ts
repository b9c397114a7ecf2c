import { BackupError, backup, findSecret } from "@backup/core";
import { parseServer } from "@backup/imap/server";
import { openDestination } from "../destination.js";
import { plugins } from "../plugins.js";
import type { ActionType, CommonArguments } from "./action-type.js";

export interface ImapArguments extends CommonArguments {
  readonly user: string;
  readonly server: string;
  readonly srcsecret?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly folder: readonly string[];
  readonly excludeFolder: readonly string[];
  /** Seconds. */
  readonly timeout: number;
}

const NONE: string[] = [];
const LONGEST_TIMEOUT_S = 24 * 60 * 60;

/** `backup imap USER DEST SERVER` */
export const imapType: ActionType<ImapArguments> = {
  name: "imap",
  summary: "mirror an IMAP account into a Maildir tree",
  positionals: [
    { name: "user", describe: "Logon name, mostly the mail address" },
    { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" },
    {
      name: "server",
      describe: "host or host:993 for TLS, host:143 for STARTTLS, imaps://host:port, imap://host:port",
    },
  ],
  options: {
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
    timeout: {
      type: "number",
      requiresArg: true,
      default: 60,
      describe: "Seconds of silence until the server counts as lost",
    },
  },
  examples: [
    ["backup imap alice@example.org /backup/alice mail.example.org", "the whole account, by TLS"],
    ["backup imap alice@example.org ./alice mail.example.org:143 --folder 'Archive/**'", "some folders, by STARTTLS"],
    ["backup imap alice@example.org nas:mail/alice mail.example.org", "to another host, by ssh"],
  ],
  check({ user, server, timeout }) {
    if (user === "") throw new BackupError("USAGE", "USER is empty; give the logon name");
    parseServer(server);
    if (!(timeout > 0 && timeout <= LONGEST_TIMEOUT_S))
      throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
  },
  create: (args) => ({
    name: args.name ?? `${args.user} → ${args.dest}`,
    type: "imap",
    destination: args.dest,
    host: parseServer(args.server).host.toLowerCase(),
    async run(context) {
      const { onEvent, signal, debug, secrets } = context;
      // Opened first: another host is connected to from here on, side by side with the source.
      await using store = await openDestination(args, context);
      const plugin = await plugins.load("imap");
      const { user, server, tlsCa, srcsecret, timeout, keepDeleted, allowDeletes, dryRun } = args;
      const filter = { include: args.folder, exclude: args.excludeFolder };
      await using source = await plugin.create(
        { user, server, tlsCa, filter, timeoutMs: timeout * 1000 },
        {
          onEvent,
          trace: debug,
          secret: (query) =>
            findSecret({ ...query, parameter: srcsecret, option: "--srcsecret", directory: secrets, onEvent }),
        },
      );
      return await backup({ source, store, signal, onEvent, keepDeleted, allowDeletes, dryRun });
    },
  }),
};
