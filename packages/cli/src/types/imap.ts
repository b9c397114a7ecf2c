import { BackupError, type DayBudget, type Source, backup, findSecret } from "@backup/core";
import type { Foreign, MailItem } from "@backup/imap";
import { parseServer } from "@backup/imap/server";
import type { ActionContext } from "../action.js";
import { checkHome } from "../check-home.js";
import { destinationProblems, openDestination } from "../destination.js";
import { plugins } from "../plugins.js";
import { problemsOf } from "../problems-of.js";
import { parseSize } from "../size.js";
import type { ActionType, CommonArguments } from "./action-type.js";

export interface ImapArguments extends CommonArguments {
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
  readonly full: boolean;
  readonly maxBytesPerDay?: string | undefined;
  readonly watch: boolean;
  readonly watchFolder: readonly string[];
}

const NONE: string[] = [];
const LONGEST_TIMEOUT_S = 24 * 60 * 60;
const MOST_CONNECTIONS = 16;

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
    "max-bytes-per-day": {
      type: "string",
      requiresArg: true,
      describe: "Bytes of messages to read in a day (UTC) at most, as 2G; what is left comes with later runs",
    },
    full: {
      type: "boolean",
      default: false,
      describe: "Compare every message, not only what the server says has changed",
    },
  },
  commandOptions: {
    watch: {
      type: "boolean",
      default: false,
      describe: "Go on for ever: mirror again when the server tells that something changed, and each hour",
    },
    "watch-folder": {
      type: "string",
      array: true,
      requiresArg: true,
      default: NONE,
      describe: "With --watch: be told of changes in folders that match this glob; repeatable; default INBOX",
    },
  },
  examples: [
    ["backup imap alice@example.org /backup/alice mail.example.org", "the whole account, by TLS"],
    ["backup imap alice@example.org ./alice mail.example.org:143 --folder 'Archive/**'", "some folders, by STARTTLS"],
    ["backup imap alice@example.org nas:mail/alice mail.example.org", "to another host, by ssh"],
    ["backup imap alice@example.org /backup/alice mail.example.org --watch", "for ever, seconds after each change"],
  ],
  check({ user, server, timeout, connections, srcsecret, tlsCa, maxBytesPerDay, namespace, watch, watchFolder }) {
    if (user === "") throw new BackupError("USAGE", "USER is empty; give the logon name");
    checkHome({ "--srcsecret": srcsecret, "--tls-ca": tlsCa });
    parseServer(server);
    if (!(timeout > 0 && timeout <= LONGEST_TIMEOUT_S))
      throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
    if (!(Number.isInteger(connections) && connections >= 1 && connections <= MOST_CONNECTIONS))
      throw new BackupError("USAGE", `--connections takes a whole number from 1 to ${MOST_CONNECTIONS}`);
    dayBudget(maxBytesPerDay);
    namespacesOf(namespace);
    if (watchFolder.length > 0 && !watch)
      throw new BackupError("USAGE", "--watch-folder says what --watch watches; give that too");
  },
  create: (args) => ({
    name: args.name ?? `${args.user} → ${args.dest}`,
    type: "imap",
    destination: args.dest,
    host: parseServer(args.server).host.toLowerCase(),
    async problems(context) {
      const openAndClose = async (): Promise<void> => {
        await using _source = await openSource(args, context);
      };
      return [...(await problemsOf([openAndClose])), ...(await destinationProblems(args, context))];
    },
    changes: args.watch ? (context) => changesOf(args, context) : undefined,
    async run(context) {
      const { onEvent, signal } = context;
      // Opened first: another host is connected to from here on, side by side with the source.
      await using store = await openDestination(args, context);
      await using source = await openSource(args, context);
      const { keepDeleted, allowDeletes, dryRun, full } = args;
      const budget = dayBudget(args.maxBytesPerDay);
      return await backup({
        source,
        store,
        signal,
        onEvent,
        keepDeleted,
        allowDeletes,
        dryRun,
        full,
        dayBudget: budget,
      });
    },
  }),
};

/** @throws BackupError USAGE */
function dayBudget(text: string | undefined): DayBudget | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes === undefined)
    throw new BackupError("USAGE", `--max-bytes-per-day takes a size as 2G, 500M or 2GiB, not '${text}'`);
  return { bytes, now: () => new Date() };
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

/** Opened anew each time: a password that was changed is read again. */
async function* changesOf(args: ImapArguments, context: ActionContext): AsyncGenerator<void> {
  await using source = await openSource(args, context);
  if (!source.changes) throw new BackupError("USAGE", "the account tells of no changes; leave out --watch");
  yield* source.changes(context.signal);
}

/** How many connections watch, and how many are left for the run beside them; one for each at least. */
function shareOf({ connections, watch, watchFolder }: ImapArguments) {
  if (!watch) return { connections };
  const half = Math.max(1, Math.floor(connections / 2));
  const folders = watchFolder.length > 0 ? watchFolder : undefined;
  return { connections: Math.max(1, connections - half), watch: { folders, connections: half } };
}

/** The account, which is connected to when it is used. */
async function openSource(args: ImapArguments, { onEvent, debug, secrets }: ActionContext): Promise<Source<MailItem>> {
  const { user, server, tlsCa, srcsecret, timeout } = args;
  const namespaces = namespacesOf(args.namespace);
  const filter = { include: args.folder, exclude: args.excludeFolder, namespaces };
  const plugin = await plugins.load("imap");
  return await plugin.create(
    { user, server, tlsCa, filter, timeoutMs: timeout * 1000, ...shareOf(args) },
    {
      onEvent,
      trace: debug,
      secret: (query) =>
        findSecret({ ...query, parameter: srcsecret, option: "--srcsecret", directory: secrets, onEvent }),
    },
  );
}
