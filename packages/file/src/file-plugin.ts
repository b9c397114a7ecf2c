import { resolve } from "node:path";
import { BackupError, type Target, defineMirror } from "@backup/core";
import { type RemoteSource, openRemoteDirectory, parseRemote } from "@backup/transport-rsync";
import { listTree } from "./list-tree.js";
import { TreeTarget, type TreeTargetOptions } from "./restore-tree.js";
import { localEnd, remoteEnd } from "./tree-end.js";
import { TreeMirror } from "./tree-mirror.js";
import { type TreeOptions, checkTreeOptions } from "./tree-options.js";
import { verifyTree } from "./verify-tree.js";

export interface FilePluginOptions extends TreeOptions {
  /** A directory here, or `[user@]host:dir`. */
  readonly source: string;
  /** How the source's host is reached, where it is on another one. */
  readonly host?: RemoteSource | undefined;
  /** A file below the source without which nothing is done. */
  readonly require?: string | undefined;
}

/** `backup file`: a directory with all that is in it, by rsync(1). */
export const filePlugin = defineMirror<FilePluginOptions>({
  name: "file",
  summary: "a directory tree, by rsync, what was moved included",
  list: listTree,
  verify: verifyTree,
  async create(options) {
    const { source: name, host } = options;
    checkTreeOptions(options);
    const remote = parseRemote(name);
    if (!remote) {
      const directory = resolve(name);
      return new TreeMirror({ ...options, id: `file:${directory}`, name, source: localEnd(directory) });
    }
    if (!host) throw new BackupError("USAGE", `${name} is on another host, and nothing says how to get there`);
    const end = remoteEnd(await openRemoteDirectory({ ...host, remote }));
    return new TreeMirror({ ...options, id: `file:${name}`, name, source: end });
  },
});

export interface FileTargetOptions extends Pick<TreeTargetOptions, "path" | "overwrite"> {
  /** A directory here, or `[user@]host:dir`; made if it is missing. */
  readonly target: string;
  /** How the target's host is reached, where it is on another one. */
  readonly host?: RemoteSource | undefined;
}

/** Where a tree is brought back to. Connects to nothing yet. @throws BackupError USAGE */
export async function openFileTarget({ target: name, host, ...options }: FileTargetOptions): Promise<Target> {
  const remote = parseRemote(name);
  if (!remote) return new TreeTarget({ ...options, name, at: resolve(name) });
  if (!host) throw new BackupError("USAGE", `${name} is on another host, and nothing says how to get there`);
  return new TreeTarget({ ...options, name, at: await openRemoteDirectory({ ...host, remote }) });
}
