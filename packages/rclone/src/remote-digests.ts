import { ContentHash, type Digested, type Path, digestOf, isBackupError, throwIfAborted } from "@backup/core";
import { inLanes } from "./lanes.js";
import type { RemoteDirectory } from "./remote-directory.js";

/** Files whose digests are told together. */
const TOGETHER = 64;

/** `Store.digests`: as the remote itself knows them, where it does, else by reading the files. */
export async function* remoteDigests(
  remote: RemoteDirectory,
  paths: readonly Path[],
  signal: AbortSignal,
): AsyncGenerator<Digested> {
  throwIfAborted(signal);
  const { sha256 } = await remote.facts(signal);
  const all = [...new Set(paths)];
  for (let at = 0; at < all.length; at += TOGETHER) {
    const found: Digested[] = [];
    await inLanes(all.slice(at, at + TOGETHER), async (path) => {
      try {
        const known = sha256 ? await remote.sha256(path, signal) : undefined;
        const digest =
          known === undefined ? await digestByReading(remote, path, signal) : digestOf(Buffer.from(known, "hex"));
        found.push({ path, digest });
      } catch (error) {
        if (!isBackupError(error, "NOT_FOUND")) throw error;
        found.push({ path, error });
      }
    });
    yield* found;
  }
}

async function digestByReading(remote: RemoteDirectory, path: Path, signal: AbortSignal): Promise<string> {
  const hash = new ContentHash();
  for await (const piece of remote.read(path, signal)) hash.update(piece);
  return hash.content().digest;
}
