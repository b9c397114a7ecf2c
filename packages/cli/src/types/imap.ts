import { BackupError, type DayBudget, type Source } from "@backup/core";
import type { MailItem } from "@backup/imap";
import { parseServer } from "@backup/imap/server";
import type { ActionContext } from "../action.js";
import { destinationProblems, openDestination } from "../destination.js";
import { backUp } from "../history-options.js";
import { problemsOf } from "../problems-of.js";
import { parseSize } from "../size.js";
import type { ActionType, CommonArguments } from "./action-type.js";
import { SERVER } from "./imap-account.js";
import { SOURCE_OPTIONS, type SourceArguments, checkSource, openSource } from "./imap-source.js";

export interface ImapArguments extends CommonArguments, SourceArguments {
  readonly timeout: number;
  readonly full: boolean;
  readonly maxBytesPerDay?: string | undefined;
  readonly watch: boolean;
  readonly watchFolder: readonly string[];
}

/** `backup imap USER DEST SERVER` */
export const imapType: ActionType<ImapArguments> = {
  name: "imap",
  summary: "mirror an IMAP account into a Maildir tree",
  positionals: [
    { name: "user", describe: "Logon name, mostly the mail address" },
    { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" },
    SERVER,
  ],
  options: {
    ...SOURCE_OPTIONS,
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
      default: [],
      describe: "With --watch: be told of changes in folders that match this glob; repeatable; default INBOX",
    },
  },
  examples: [
    ["backup imap alice@example.org /backup/alice mail.example.org", "the whole account, by TLS"],
    ["backup imap alice@example.org ./alice mail.example.org:143 --folder 'Archive/**'", "some folders, by STARTTLS"],
    ["backup imap alice@example.org nas:mail/alice mail.example.org", "to another host, by ssh"],
    ["backup imap alice@example.org /backup/alice mail.example.org --watch", "for ever, seconds after each change"],
  ],
  check(args) {
    checkSource(args);
    dayBudget(args.maxBytesPerDay);
    if (args.watchFolder.length > 0 && !args.watch)
      throw new BackupError("USAGE", "--watch-folder says what --watch watches; give that too");
  },
  create: (args) => ({
    name: args.name ?? `${args.user} → ${args.dest}`,
    type: "imap",
    destination: args.dest,
    host: parseServer(args.server).host.toLowerCase(),
    async problems(context) {
      const openAndClose = async (): Promise<void> => {
        await using _source = await open(args, context);
      };
      return [...(await problemsOf([openAndClose])), ...(await destinationProblems(args, context))];
    },
    changes: args.watch ? (context) => changesOf(args, context) : undefined,
    async run(context) {
      const { onEvent, signal } = context;
      // Opened first: another host is connected to from here on, side by side with the source.
      await using store = await openDestination(args, context);
      await using source = await open(args, context);
      const { keepDeleted, allowDeletes, dryRun, full } = args;
      const budget = dayBudget(args.maxBytesPerDay);
      return await backUp(args, {
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

/** Opened anew each time: a password that was changed is read again. */
async function* changesOf(args: ImapArguments, context: ActionContext): AsyncGenerator<void> {
  await using source = await open(args, context);
  if (!source.changes) throw new BackupError("USAGE", "the account tells of no changes; leave out --watch");
  yield* source.changes(context.signal);
}

/** With so many connections that watch, and what is left for the run beside them; one for each at least. */
function open(args: ImapArguments, context: ActionContext): Promise<Source<MailItem>> {
  const { connections, watch, watchFolder } = args;
  if (!watch) return openSource(args, context);
  const half = Math.max(1, Math.floor(connections / 2));
  const folders = watchFolder.length > 0 ? watchFolder : undefined;
  const rest = { ...args, connections: Math.max(1, connections - half) };
  return openSource(rest, context, { folders, connections: half });
}
