import { BackupError, type Report, mirrorToHistory, runMirror } from "@backup/core";
import type { FilePluginOptions } from "@backup/file";
import { parseRemote } from "@backup/transport-rsync/remote";
import type { ActionContext } from "../action.js";
import { checkHome } from "../check-home.js";
import type { DestinationArguments } from "../destination-options.js";
import { destinationProblems, openDestination } from "../destination.js";
import { dayOfSnapshot } from "../history-options.js";
import { plugins } from "../plugins.js";
import { problemsOf } from "../problems-of.js";
import { type HostArguments, SOURCE_HOST_OPTIONS, hostOf } from "../source-host.js";
import type { ActionType, CommonArguments } from "./action-type.js";

export interface FileArguments extends CommonArguments, HostArguments {
  readonly source: string;
  readonly exclude: readonly string[];
  readonly include: readonly string[];
  readonly excludeIfPresent?: string | undefined;
  readonly require?: string | undefined;
  readonly oneFileSystem: boolean;
  readonly maxSize?: string | undefined;
  readonly minSize?: string | undefined;
  readonly inet: boolean;
  readonly sparse: boolean;
  readonly numericIds: boolean;
  /** Seconds. */
  readonly timeout: number;
  /** What follows `--`. */
  readonly rsync: readonly string[];
}

const NONE: string[] = [];

/** A size as rsync(1) takes it. */
const SIZE = /^\d+(?:\.\d+)?(?:[kmgtp](?:i?b)?|b)?(?:[+-]1)?$/i;

/** `backup file SOURCE DEST` */
export const fileType: ActionType<FileArguments> = {
  name: "file",
  summary: "mirror a directory tree, and what was moved in it without sending it again",
  positionals: [
    { name: "source", describe: "Directory here, or [user@]host:dir; what is in it is mirrored, not itself" },
    { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" },
  ],
  options: {
    ...SOURCE_HOST_OPTIONS,
    exclude: {
      type: "string",
      array: true,
      requiresArg: true,
      default: NONE,
      describe: "Leave out what matches this pattern, as in a .gitignore; repeatable",
    },
    include: {
      type: "string",
      array: true,
      requiresArg: true,
      default: NONE,
      describe: "Do not leave out what matches this pattern; repeatable",
    },
    "exclude-if-present": {
      type: "string",
      requiresArg: true,
      describe: "Leave out directories that have a file of this name, as .nobackup",
    },
    require: {
      type: "string",
      requiresArg: true,
      describe: "Do nothing unless SOURCE has this file: a sign that the right disk is mounted",
    },
    "one-file-system": {
      type: "boolean",
      default: false,
      describe: "Leave out what other file systems that are mounted in SOURCE hold",
    },
    "max-size": { type: "string", requiresArg: true, describe: "Leave out files that are larger, as 2g or 500m" },
    "min-size": { type: "string", requiresArg: true, describe: "Leave out files that are smaller" },
    inet: {
      type: "boolean",
      default: false,
      describe: "For slow links: compare by size, go on with half-sent files, compress, keep no owners",
    },
    sparse: { type: "boolean", default: false, describe: "Let runs of zeros in files take no room" },
    "numeric-ids": { type: "boolean", default: false, describe: "Keep owners by number, not by name" },
    timeout: {
      type: "number",
      requiresArg: true,
      default: 60,
      describe: "Seconds of silence until a host counts as lost",
    },
    rsync: {
      type: "string",
      array: true,
      requiresArg: true,
      default: NONE,
      describe: "An option for rsync, as it is; on the command line all that follow -- are",
    },
  },
  rest: "rsync",
  examples: [
    ["backup file /home/alice nas:backups/alice", "to another host, by ssh"],
    ["backup file www@web.example.org:/srv/www /backup/www --exclude cache/", "from another host, without caches"],
    [
      "backup file /srv /mnt/disk --require .mounted -- --checksum",
      "only if /srv/.mounted is there; all bytes compared",
    ],
  ],
  check(args) {
    const { source, srcsecret, srcpassphrase, timeout, maxSize, minSize } = args;
    if (source === "") throw new BackupError("USAGE", "SOURCE is empty; name a directory (. is the one you are in)");
    checkHome({ SOURCE: source, "--srcsecret": srcsecret, "--srcpassphrase": srcpassphrase });
    if (args.hist && (args.keepDeleted || args.histkeep))
      throw new BackupError(
        "USAGE",
        "a snapshot of a directory tree is what the tree is that day, and older ones have what was deleted; leave out " +
          (args.histkeep ? "--histkeep" : "--keep-deleted"),
      );
    if (parseRemote(source) && parseRemote(args.dest))
      throw new BackupError("USAGE", "SOURCE and DEST are both on other hosts; one of them has to be here");
    if (!parseRemote(source) && (srcsecret ?? srcpassphrase) !== undefined)
      throw new BackupError("USAGE", `--srcsecret and --srcpassphrase are for a SOURCE on another host`);
    if (!(timeout > 0 && timeout <= 86_400))
      throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
    for (const [name, size] of Object.entries({ "--max-size": maxSize, "--min-size": minSize }))
      if (size !== undefined && !SIZE.test(size))
        throw new BackupError("USAGE", `${name} takes a size as 500m or 1.5g, not '${size}'`);
  },
  create: (args) => ({
    name: args.name ?? `${args.source} → ${args.dest}`,
    type: "file",
    destination: args.dest,
    host: (parseRemote(args.source)?.host ?? "localhost").toLowerCase(),
    async problems(context) {
      const open = async (): Promise<void> => {
        await using _mirror = await openMirror(args, context);
      };
      return [...(await problemsOf([open])), ...(await destinationProblems(args, context))];
    },
    run: (context) => run(args, context),
  }),
};

async function run(args: FileArguments, context: ActionContext): Promise<Report> {
  const { onEvent, signal } = context;
  const { keepDeleted, allowDeletes, dryRun } = args;
  await using store = await openDestination(destinationOf(args), context);
  await using mirror = await openMirror(args, context);
  const options = { mirror, store, signal, onEvent, allowDeletes, dryRun };
  if (!args.hist) return await runMirror({ ...options, keepDeleted });
  return await mirrorToHistory({ ...options, day: dayOfSnapshot(args) });
}

/** What of the arguments is said of the destination: how to reach a host is said of the one end that is on one. */
function destinationOf({ bwlimit, ...args }: FileArguments): DestinationArguments {
  const { dest, spool } = args;
  if (parseRemote(dest)) return { ...args, bwlimit };
  return parseRemote(args.source) ? { dest, spool } : args;
}

async function openMirror(args: FileArguments, context: ActionContext) {
  const { source, exclude, include, oneFileSystem, maxSize, minSize, inet, sparse, numericIds, bwlimit, rsync } = args;
  const { onEvent, secrets: directory, debug: trace } = context;
  const plugin = await plugins.load("file");
  const options: FilePluginOptions = {
    source,
    host: await hostOf(source, args, context),
    exclude,
    include,
    oneFileSystem,
    maxSize,
    minSize,
    inet,
    sparse,
    numericIds,
    bwlimit,
    rsync,
    require: args.require,
    excludeIfPresent: args.excludeIfPresent,
  };
  const secret = (): never => {
    throw new TypeError(`the keys of hosts are found by ssh, in ${directory} too`);
  };
  return await plugin.create(options, { onEvent, trace, secret });
}
