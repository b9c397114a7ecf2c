import { BackupError, checkHome, definePlugin, isBackupError } from "@backup/core";
import { parseRclone } from "./rclone-address.js";

export { rcloneSourcePlugin } from "./source-plugin.js";

// What does the work is loaded when it is used: a list of all stores needs none of it.

/** Silence after which a remote counts as lost, seconds. */
const TIMEOUT_S = 60;

/** A directory at whatever rclone(1) reaches. */
export const rcloneStorePlugin = definePlugin({
  kind: "store",
  name: "rclone",
  summary: "a directory at a remote of rclone: a cloud drive, an object store",
  form: "rclone:REMOTE:path",
  options: {
    dstsecret: {
      type: "string",
      isSecret: true,
      describe: "of rclone its configuration; default /backup/REMOTE.rclone.conf, then where rclone has it",
    },
    spool: {
      type: "string",
      describe: "Directory for what is on its way to another host, 64 MiB; default: that for temporary files",
    },
    bwlimit: { type: "number", describe: "or that rclone may" },
  },
  takes: (dest) => dest.startsWith("rclone:"),
  check({ dest, bwlimit, dstsecret, spool }) {
    parseRclone(dest);
    checkHome({ "--dstsecret": dstsecret, "--spool": spool });
    if (bwlimit !== undefined && !(bwlimit > 0))
      throw new BackupError("USAGE", "--bwlimit takes a number of KiB a second, greater than 0");
  },
  async problems({ dest, dstsecret }, { secretsDirectory: directory, env, onEvent }) {
    const { findConfig } = await import("./find-config.js");
    const { remote } = addressOf(dest);
    try {
      await findConfig({ remote, parameter: dstsecret, option: "--dstsecret", directory, env, onEvent });
      return [];
    } catch (error) {
      if (isBackupError(error)) return [error];
      throw error;
    }
  },
  async open({ dest, dstsecret, spool, bwlimit, timeout = TIMEOUT_S }, { onEvent, secretsDirectory, env }) {
    const { openRcloneStore } = await import("./index.js");
    return openRcloneStore({
      address: addressOf(dest),
      config: dstsecret,
      secretsDirectory,
      env,
      onEvent,
      timeoutMs: timeout * 1000,
      spool,
      bwlimit,
    });
  },
});

function addressOf(dest: string): NonNullable<ReturnType<typeof parseRclone>> {
  const address = parseRclone(dest);
  if (!address) throw new TypeError(`${dest} is not of rclone`);
  return address;
}
