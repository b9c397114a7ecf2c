import { readdir } from "node:fs/promises";
import {
  type BackupError,
  type FileTree,
  LocalTree,
  type Path,
  type Reach,
  digestOf,
  isBackupError,
  systemCode,
  throwIfAborted,
} from "@backup/core";
import type { FileAbove, RemoteDirectory } from "@backup/transport-rsync";
import { localDigest } from "./local-entry.js";
import { type RawPath, placeIn, textOf } from "./raw-path.js";
import { treeDigests } from "./tree-digests.js";

/** The directory that is backed up. */
export interface TreeEnd extends AsyncDisposable {
  /** Absolute, where it is on this machine. */
  readonly local: string | undefined;
  /** No program gets at it, and it is on no host: it has its entries one by one. */
  readonly isEntriesOnly?: boolean;
  /** @throws BackupError as Host.connect */
  reach(signal: AbortSignal): Promise<Reach>;
  /** Its entries one by one. */
  tree(): FileTree;
  /** Undefined: rsync works there. @throws BackupError as Host.connect */
  whyNoRsync(signal: AbortSignal): Promise<BackupError | undefined>;
  /** `Content.digest` of files; what cannot be had is left out. */
  digests(paths: readonly RawPath[], signal: AbortSignal): Promise<ReadonlyMap<RawPath, string>>;
  /** What it and the directories above it hold as this file, where that is not known otherwise; see RemoteDirectory.above. */
  above?(file: Path, signal: AbortSignal): Promise<readonly FileAbove[]>;
  /** Directories that have an entry of this name; "" is the top. */
  marked(name: string, signal: AbortSignal): Promise<readonly RawPath[]>;
}

/** Files that a host digests in one go. */
const BATCH = 1024;

export function localEnd(directory: string): TreeEnd {
  return {
    local: directory,
    reach: async () => ({ directory }),
    tree: () => new LocalTree(directory),
    whyNoRsync: async () => undefined,
    async digests(paths, signal) {
      const digests = new Map<RawPath, string>();
      for (const path of paths) {
        const digest = await localDigest(directory, path, signal);
        if (digest !== undefined) digests.set(path, digestOf(Buffer.from(digest, "hex")));
      }
      return digests;
    },
    async marked(name, signal) {
      const found: RawPath[] = [];
      const mark = Buffer.from(name).toString("latin1");
      const visit = async (at: RawPath): Promise<void> => {
        throwIfAborted(signal);
        const entries = await readdir(placeIn(directory, at), { withFileTypes: true, encoding: "buffer" }).catch(
          (error: unknown) => {
            // rsync(1) says so too.
            if (["ENOENT", "EACCES", "ENOTDIR"].includes(systemCode(error) ?? "")) return [];
            throw error;
          },
        );
        const names = entries.map((entry) => ({ entry, text: entry.name.toString("latin1") }));
        if (names.some(({ text }) => text === mark)) found.push(at);
        else
          for (const { entry, text } of names) if (entry.isDirectory()) await visit(at === "" ? text : `${at}/${text}`);
      };
      await visit("");
      return found;
    },
    async [Symbol.asyncDispose]() {},
  };
}

export function remoteEnd(remote: RemoteDirectory): TreeEnd {
  const tree = remote.tree();
  return {
    local: undefined,
    reach: (signal) => remote.reach(signal),
    tree: () => tree,
    whyNoRsync: (signal) => remote.whyNoRsync(signal),
    async digests(paths, signal) {
      const { directory } = await remote.reach(signal);
      const digests = new Map<RawPath, string>();
      for (let at = 0; at < paths.length; at += BATCH) {
        const names = new Map<string, RawPath>();
        for (const path of paths.slice(at, at + BATCH)) {
          const text = textOf(path);
          if (text !== undefined) names.set(`${directory === "" ? "." : directory}/${text}`, path);
        }
        for (const [name, sum] of await remote.sums([...names.keys()], signal)) {
          const path = names.get(name);
          if (path !== undefined) digests.set(path, digestOf(sum));
        }
      }
      // An account that runs no commands may still read them.
      const left = paths.filter((path) => !digests.has(path) && textOf(path) !== undefined);
      try {
        for (const [path, sum] of await treeDigests(tree, left, signal)) digests.set(path, digestOf(sum));
      } catch (error) {
        if (!isBackupError(error, "TRANSPORT_MISSING")) throw error;
      }
      return digests;
    },
    above: (file, signal) => remote.above(file, signal),
    async marked(name, signal) {
      return (await remote.find(name, signal)).map((path) => path.slice(0, Math.max(0, path.lastIndexOf("/"))));
    },
    [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose](),
  };
}
