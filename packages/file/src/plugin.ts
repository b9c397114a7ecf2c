import {
  type Arguments,
  BackupError,
  type PluginContext,
  type RestoreDescription,
  type Target,
  camelCase,
  checkHome,
  definePlugin,
} from "@backup/core";
import { HOST_OPTIONS, SOURCE_HOST_OPTIONS, hostOf } from "@backup/transport-rsync/options";
import { parseRemote } from "@backup/transport-rsync/remote";
import { betweenOptions, checkBetween, connectedBy } from "./between-hosts.js";

// What does the work is loaded when it is used: a list of all types needs none of it.

/** A size as rsync(1) takes it. */
const SIZE = /^\d+(?:\.\d+)?(?:[kmgtp](?:i?b)?|b)?(?:[+-]1)?$/i;

/** As of the destination: here it says of the whole copy how it is made. */
const TRANSPORT = {
  transport: {
    type: "string",
    choices: ["rsync", "sftp"],
    describe: "How it is copied: by rsync, or entry by entry; default: rsync where both ends have it",
  },
} as const;

const RESTORE_WORDS = [
  { name: "dest", describe: "The backup: directory here, or [user@]host:dir; only read" },
  { name: "target", describe: "Directory that gets it, here, or [user@]host:dir; made if it is missing" },
] as const;

const RESTORE_OPTIONS = {
  path: { type: "string", describe: "Only this file or directory of the backup" },
  overwrite: { type: "boolean", describe: "Replace files of TARGET that differ" },
  ...SOURCE_HOST_OPTIONS,
  ...betweenOptions({ source: "TARGET", destination: "DEST" }),
  ...HOST_OPTIONS,
  ...TRANSPORT,
} as const;

type RestoreArguments = Arguments<typeof RESTORE_WORDS, typeof RESTORE_OPTIONS>;

/** How a directory tree is brought back, whatever it was backed up from. */
export const treeRestore = {
  summary: "bring a directory tree back, or a part of it: adds what is missing there, and deletes nothing",
  positionals: RESTORE_WORDS,
  options: RESTORE_OPTIONS,
  examples: [
    ["backup restore file nas:alice /home/alice", "all that is missing there"],
    ["backup restore file nas:alice /tmp/back --path Documents/letter.odt --snapshot 2026-11-01", "a file as it was"],
  ],
  check(args: RestoreArguments): void {
    const { target, path, dest, srcsecret, srcpassphrase } = args;
    if (target === "") throw new BackupError("USAGE", "TARGET is empty; name a directory (. is the one you are in)");
    checkHome({ TARGET: target, "--srcsecret": srcsecret, "--srcpassphrase": srcpassphrase });
    if (path === "" || path?.startsWith("/"))
      throw new BackupError(
        "USAGE",
        "--path takes a path in the backup, as Documents/letter.odt, without a / before it",
      );
    checkBetween(args, [target, dest]);
  },
  async open(args: RestoreArguments, context: PluginContext): Promise<Target> {
    const { target, path, overwrite, transport } = args;
    const { openTreeTarget } = await import("./open-tree.js");
    const plain = path?.replace(/\/+$/, "");
    const by = connectedBy({ ...args, runonsrc: args.runondst, runondst: args.runonsrc });
    const host = await hostOf(target, args, context);
    return openTreeTarget({ target, path: plain, overwrite, transport, host, connectedBy: by });
  },
} satisfies RestoreDescription<RestoreArguments>;

/** `backup file`: a directory with all that is in it, by rsync(1), or entry by entry. */
export const filePlugin = definePlugin({
  kind: "mirror",
  name: "file",
  summary: "mirror a directory tree, and what was moved in it without sending it again",
  positionals: [
    { name: "source", describe: "Directory here, or [user@]host:dir; what is in it is mirrored, not itself" },
    { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" },
  ],
  options: {
    ...SOURCE_HOST_OPTIONS,
    ...betweenOptions({ source: "SOURCE", destination: "DEST" }),
    exclude: {
      type: "string",
      array: true,
      describe: "Leave out what matches this pattern, as in a .gitignore; repeatable",
    },
    include: { type: "string", array: true, describe: "Do not leave out what matches this pattern; repeatable" },
    "exclude-if-present": {
      type: "string",
      describe: "Leave out directories that have a file of this name, as .nobackup",
    },
    require: {
      type: "string",
      describe: "Do nothing unless SOURCE has this file: a sign that the right disk is mounted",
    },
    "one-file-system": {
      type: "boolean",
      describe: "Leave out what other file systems that are mounted in SOURCE hold",
    },
    "max-size": { type: "string", describe: "Leave out files that are larger, as 2g or 500m" },
    "min-size": { type: "string", describe: "Leave out files that are smaller" },
    inet: {
      type: "boolean",
      describe: "For slow links: compare by size, go on with half-sent files, compress, keep no owners",
    },
    sparse: { type: "boolean", describe: "Let runs of zeros in files take no room" },
    "numeric-ids": { type: "boolean", describe: "Keep owners by number, not by name" },
    timeout: { type: "number", default: 60, describe: "Seconds of silence until a host counts as lost" },
    rsync: {
      type: "string",
      array: true,
      describe: "An option for rsync, as it is; on the command line all that follow -- are",
    },
    ...HOST_OPTIONS,
    ...TRANSPORT,
    bwlimit: { type: "number", describe: "KiB a second that rsync may send" },
  },
  rest: "rsync",
  examples: [
    ["backup file /home/alice nas:backups/alice", "to another host, by ssh"],
    ["backup file web:/srv/www nas:backups/www", "from one host to another, through this one"],
    ["backup file www@web.example.org:/srv/www /backup/www --exclude cache/", "from another host, without caches"],
    [
      "backup file /srv /mnt/disk --require .mounted -- --checksum",
      "only if /srv/.mounted is there; all bytes compared",
    ],
  ],
  check(args) {
    const { source, dest, srcsecret, srcpassphrase, timeout, maxSize, minSize } = args;
    if (source === "") throw new BackupError("USAGE", "SOURCE is empty; name a directory (. is the one you are in)");
    checkHome({ SOURCE: source, "--srcsecret": srcsecret, "--srcpassphrase": srcpassphrase });
    checkBetween(args, [source, dest]);
    if (!parseRemote(source) && (srcsecret ?? srcpassphrase) !== undefined)
      throw new BackupError("USAGE", `--srcsecret and --srcpassphrase are for a SOURCE on another host`);
    if (!(timeout > 0 && timeout <= 86_400))
      throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
    for (const [name, size] of Object.entries({ "--max-size": maxSize, "--min-size": minSize }))
      if (size !== undefined && !SIZE.test(size))
        throw new BackupError("USAGE", `${name} takes a size as 500m or 1.5g, not '${size}'`);
  },
  host: ({ source }) => parseRemote(source)?.host ?? "localhost",
  async create(args, context) {
    const unused = hostOptionsGiven(args);
    if (unused.length > 0 && !parseRemote(args.source) && !parseRemote(args.dest)) {
      const message = `${unused.join(", ")}: of no use where both ${args.source} and ${args.dest} are of this machine`;
      context.onEvent({ type: "warning", code: "OPTION_UNUSED", message });
    }
    const { openTreeMirror } = await import("./open-tree.js");
    const { onEvent } = context;
    const host = await hostOf(args.source, args, context);
    return await openTreeMirror({ ...args, onEvent, host, connectedBy: connectedBy(args) });
  },
  list: async (looked) => (await import("./list-tree.js")).listTree(looked),
  verify: async (options) => (await import("./verify-tree.js")).verifyTree(options),
  restore: treeRestore,
});

function hostOptionsGiven(args: object): readonly string[] {
  const given = new Map<string, unknown>(Object.entries(args));
  return Object.keys(HOST_OPTIONS)
    .filter((name) => given.get(camelCase(name)) !== undefined)
    .map((name) => `--${name}`);
}
