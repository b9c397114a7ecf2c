import { BackupError, type Target } from "@backup/core";
import { parseRemote } from "@backup/transport-rsync/remote";
import type { ActionContext } from "../action.js";
import { checkHome } from "../check-home.js";
import { type HostArguments, SOURCE_HOST_OPTIONS, hostOf } from "../source-host.js";
import type { RestoreArguments, RestoreType } from "./restore-type.js";

export interface RestoreFileArguments extends RestoreArguments, HostArguments {
  readonly target: string;
  readonly path?: string | undefined;
  readonly overwrite: boolean;
}

/** `backup restore file DEST TARGET` */
export const fileRestore: RestoreType<RestoreFileArguments> = {
  name: "file",
  summary: "bring a directory tree back, or a part of it: adds what is missing there, and deletes nothing",
  positionals: [
    { name: "dest", describe: "The backup: directory here, or [user@]host:dir; only read" },
    { name: "target", describe: "Directory that gets it, here, or [user@]host:dir; made if it is missing" },
  ],
  options: {
    path: { type: "string", requiresArg: true, describe: "Only this file or directory of the backup" },
    overwrite: { type: "boolean", default: false, describe: "Replace files of TARGET that differ" },
    ...SOURCE_HOST_OPTIONS,
  },
  examples: [
    ["backup restore file nas:alice /home/alice", "all that is missing there"],
    ["backup restore file nas:alice /tmp/back --path Documents/letter.odt --snapshot 2026-11-01", "a file as it was"],
  ],
  check({ target, path, dest, srcsecret, srcpassphrase }) {
    if (target === "") throw new BackupError("USAGE", "TARGET is empty; name a directory (. is the one you are in)");
    checkHome({ TARGET: target, "--srcsecret": srcsecret, "--srcpassphrase": srcpassphrase });
    if (path === "" || path?.startsWith("/"))
      throw new BackupError(
        "USAGE",
        "--path takes a path in the backup, as Documents/letter.odt, without a / before it",
      );
    if (parseRemote(target) && parseRemote(dest))
      throw new BackupError("USAGE", "TARGET and DEST are both on other hosts; one of them has to be here");
  },
  open,
};

async function open(args: RestoreFileArguments, context: ActionContext): Promise<Target> {
  const { target, path, overwrite } = args;
  // Loaded when used: it costs start-up time.
  const { openFileTarget } = await import("@backup/file");
  const plain = path?.replace(/\/+$/, "");
  return openFileTarget({ target, path: plain, overwrite, host: await hostOf(target, args, context) });
}
