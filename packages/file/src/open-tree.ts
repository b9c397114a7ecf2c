import { resolve } from "node:path";
import { BackupError, type Target } from "@backup/core";
import { type ConnectedBy, type RemoteSource, openRemoteDirectory, parseRemote } from "@backup/transport-rsync";
import { TreeTarget, type TreeTargetOptions } from "./restore-tree.js";
import { localEnd, remoteEnd } from "./tree-end.js";
import { TreeMirror, type TreeMirrorOptions } from "./tree-mirror.js";
import { type TreeOptions, checkTreeOptions } from "./tree-options.js";

export interface OpenTreeOptions extends TreeOptions, Pick<TreeMirrorOptions, "transport" | "onEvent"> {
  /** A directory here, or `[user@]host:dir`. */
  readonly source: string;
  /** How the source's host is reached, where it is on another one. */
  readonly host?: RemoteSource | undefined;
  /** A file below the source without which nothing is done. */
  readonly require?: string | undefined;
  /** As RsyncCopy.connectedBy. */
  readonly connectedBy?: ConnectedBy | undefined;
}

/** The tree that `backup file` names. Connects to nothing yet. @throws BackupError USAGE, TRANSPORT_MISSING */
export async function openTreeMirror(options: OpenTreeOptions): Promise<TreeMirror> {
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
}

export interface TreeTargetArguments
  extends Pick<TreeTargetOptions, "path" | "overwrite" | "transport" | "connectedBy"> {
  /** A directory here, or `[user@]host:dir`; made if it is missing. */
  readonly target: string;
  /** How the target's host is reached, where it is on another one. */
  readonly host?: RemoteSource | undefined;
}

/** Where a tree is brought back to. Connects to nothing yet. @throws BackupError USAGE */
export async function openTreeTarget({ target: name, host, ...options }: TreeTargetArguments): Promise<Target> {
  const remote = parseRemote(name);
  if (!remote) return new TreeTarget({ ...options, name, at: resolve(name) });
  if (!host) throw new BackupError("USAGE", `${name} is on another host, and nothing says how to get there`);
  return new TreeTarget({ ...options, name, at: await openRemoteDirectory({ ...host, remote }) });
}
