import { BackupError, type Mirror, type RawPath, digestOf } from "@backup/core";
import { type TreeEnd, TreeMirror, type TreeOptions, checkTreeOptions } from "@backup/file";
import { inLanes } from "./lanes.js";
import { type OpenedRemote, type RcloneOptions, openRemoteDirectory } from "./open-rclone-store.js";
import { formatRclone } from "./rclone-address.js";
import { RcloneTree } from "./rclone-tree.js";
import type { RemoteDirectory } from "./remote-directory.js";

export interface RcloneMirrorOptions
  extends Omit<RcloneOptions, "spool">,
    Pick<TreeOptions, "exclude" | "include" | "maxSize" | "minSize"> {}

/** What a remote has as a mirror: a directory tree that is copied entry by entry. Connects to nothing yet. */
export function openRcloneMirror(options: RcloneMirrorOptions): Mirror {
  const { address, exclude, include, maxSize, minSize, onEvent = () => {} } = options;
  const trees = { exclude, include, maxSize, minSize };
  checkTreeOptions(trees);
  const id = formatRclone(address);
  const name = id.slice("rclone:".length);
  const source = rcloneEnd({ ...options, name, onEvent, option: "--srcsecret" });
  return new TreeMirror({ ...trees, id, name, source, onEvent, transport: "sftp" });
}

function rcloneEnd(options: RcloneOptions & Required<Pick<RcloneOptions, "onEvent">>): TreeEnd {
  let opening: Promise<OpenedRemote> | undefined;
  const remote = async (signal: AbortSignal): Promise<RemoteDirectory> =>
    (await (opening ??= openRemoteDirectory(options, signal))).remote;
  const tree = new RcloneTree({ remote, onEvent: options.onEvent });
  const noRsync = new BackupError("TRANSPORT_MISSING", "rsync cannot get at a remote of rclone");
  return {
    local: undefined,
    isEntriesOnly: true,
    reach: () => Promise.reject(noRsync),
    tree: () => tree,
    whyNoRsync: async () => noRsync,
    /** As the remote knows them: to read a file for its digest would take as long as to copy it. */
    async digests(paths, signal) {
      const digests = new Map<RawPath, string>();
      const there = await remote(signal);
      if (!(await there.facts(signal)).sha256) return digests;
      await inLanes(paths, async (path) => {
        const sum = await there.sha256(Buffer.from(path, "latin1").toString(), signal);
        if (sum !== undefined) digests.set(path, digestOf(Buffer.from(sum, "hex")));
      });
      return digests;
    },
    /** Not asked for: directories are left out by patterns alone. */
    marked: async () => [],
    async [Symbol.asyncDispose]() {
      const opened = await opening?.catch(() => undefined);
      for (const resource of opened?.owned ?? []) await resource[Symbol.asyncDispose]();
    },
  };
}
