import { BackupError, checkHome, definePlugin } from "@backup/core";
import { filePlugin, treeRestore } from "@backup/file/plugin";
import { readRemotePath } from "./rclone-address.js";

// What does the work is loaded when it is used: a list of all types needs none of it.

const SIZE = /^\d+(?:\.\d+)?(?:[kmgtp](?:i?b)?|b)?$/i;

/** `backup rclone`: what a remote has, as a directory tree. */
export const rcloneSourcePlugin = definePlugin({
  kind: "mirror",
  name: "rclone",
  summary: "mirror what a remote of rclone has: a cloud drive, an object store",
  positionals: [
    { name: "source", describe: "REMOTE:path, as rclone takes it; what is in it is mirrored, not itself" },
    { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" },
  ],
  options: {
    srcsecret: {
      type: "string",
      isSecret: true,
      describe:
        "File with rclone's configuration, an absolute path; default /backup/REMOTE.rclone.conf, then rclone's own",
    },
    exclude: {
      type: "string",
      array: true,
      describe: "Leave out what matches this pattern, as in a .gitignore; repeatable",
    },
    include: { type: "string", array: true, describe: "Do not leave out what matches this pattern; repeatable" },
    "max-size": { type: "string", describe: "Leave out files that are larger, as 2g or 500m" },
    "min-size": { type: "string", describe: "Leave out files that are smaller" },
    timeout: { type: "number", default: 60, describe: "Seconds of silence until a host counts as lost" },
  },
  examples: [
    ["backup rclone drive: /backup/drive --hist", "a whole cloud drive, as a snapshot of today"],
    ["backup rclone s3:bucket/www nas:backups/www --exclude cache/", "to another host, without caches"],
  ],
  check({ source, srcsecret, timeout, maxSize, minSize }) {
    readRemotePath(source);
    checkHome({ "--srcsecret": srcsecret });
    if (!(timeout > 0 && timeout <= 86_400))
      throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
    for (const [name, size] of Object.entries({ "--max-size": maxSize, "--min-size": minSize }))
      if (size !== undefined && !SIZE.test(size))
        throw new BackupError("USAGE", `${name} takes a size as 500m or 1.5g, not '${size}'`);
  },
  host: ({ source }) => readRemotePath(source).remote,
  async create(args, { onEvent, secretsDirectory, env }) {
    const { source, srcsecret, timeout, exclude, include, maxSize, minSize } = args;
    const { openRcloneMirror } = await import("./open-rclone-mirror.js");
    const tree = { exclude, include, maxSize, minSize };
    const address = readRemotePath(source);
    const timeoutMs = timeout * 1000;
    return openRcloneMirror({ ...tree, address, config: srcsecret, secretsDirectory, env, onEvent, timeoutMs });
  },
  // What it leaves is a directory tree as `backup file` leaves one.
  list: (looked) => filePlugin.list(looked),
  verify: (options) => filePlugin.verify(options),
  restore: {
    ...treeRestore,
    examples: [["backup restore rclone nas:drive /tmp/back --path letter.odt", "a file of it, to a directory here"]],
  },
});
