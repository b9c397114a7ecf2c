import { type FileTree, type Reach, type RemoteShell, isBackupError } from "@backup/core";
import { remoteDigests, remoteEntries } from "@backup/transport-rsync";
import { localDigest, localEntry } from "./local-entry.js";
import type { Entry } from "./manifest.js";
import type { RawPath } from "./raw-path.js";
import { treeDigests } from "./tree-digests.js";
import { workOnEach } from "./walk-pool.js";

/** An end that is looked at for what the manifest says. What cannot be had is left out. */
export interface Look {
  /** Without digests, and with inodes of a source alone. */
  entries(paths: readonly RawPath[], signal: AbortSignal): Promise<ReadonlyMap<RawPath, Entry>>;
  /** SHA-256 of regular files, hexadecimal. */
  digests(paths: readonly RawPath[], signal: AbortSignal): Promise<ReadonlyMap<RawPath, string>>;
}

/** Names that are asked for in one go. */
export const LOOK_BATCH = 2048;

/** A directory of this machine. @param end which of the two it is */
export function lookHere(directory: string, end: "source" | "destination"): Look {
  return {
    async entries(paths) {
      const found = new Map<RawPath, Entry>();
      for (const path of paths) {
        const entry = localEntry(directory, path);
        if (entry) found.set(path, end === "source" ? entry : { ...entry, inode: undefined });
      }
      return found;
    },
    async digests(paths, signal) {
      const found = new Map<RawPath, string>();
      for (const path of paths) {
        const digest = await localDigest(directory, path, signal);
        if (digest !== undefined) found.set(path, digest);
      }
      return found;
    },
  };
}

/** A directory at a host, looked at by programs there. @param to asked for each time: the connection may be another one */
export function lookThere(to: () => Promise<Reach & { readonly shell: RemoteShell }>): Look {
  return {
    async entries(paths, signal) {
      const found = await remoteEntries({ reach: await to(), paths }, signal);
      return new Map([...found].map(([path, entry]) => [path, { path, ...entry }]));
    },
    async digests(paths, signal) {
      const found = await remoteDigests({ reach: await to(), paths }, signal);
      return new Map([...found].map(([path, sum]) => [path, sum.toString("hex")]));
    },
  };
}

/** A directory entry by entry, wherever it is. */
export function lookByTree(tree: FileTree): Look {
  return {
    async entries(paths, signal) {
      const { lanes } = await tree.facts(signal);
      const found = new Map<RawPath, Entry>();
      const look = async (at: RawPath): Promise<void> => {
        try {
          const entry = await tree.entry(at, signal);
          if (!entry) return;
          const { path, type, mode, size, mtime, target } = entry;
          found.set(at, { path, type, mode, size, mtime, target });
        } catch (error) {
          if (!isBackupError(error, "ITEM_UNREADABLE")) throw error;
        }
      };
      await workOnEach(paths, lanes, look);
      return found;
    },
    async digests(paths, signal) {
      const found = await treeDigests(tree, paths, signal);
      return new Map([...found].map(([path, sum]) => [path, sum.toString("hex")]));
    },
  };
}
