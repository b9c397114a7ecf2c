import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackupError, type Content, ContentHash, type Path, type Store, systemCode } from "@backup/core";
import { rsyncCopy } from "@backup/transport-rsync";

/** A file of this machine. */
export interface Fetched extends AsyncDisposable {
  readonly file: string;
}

/**
 * A file of a backup as one of this machine, whole and as its name says: a copy, where the backup is on another one.
 * @throws BackupError ITEM_UNREADABLE where it holds other bytes
 */
export async function fetchFile(
  store: Store,
  { path, content }: { readonly path: Path; readonly content: Content },
  { temporaryDirectory, signal }: { readonly temporaryDirectory: () => Promise<string>; readonly signal: AbortSignal },
): Promise<Fetched> {
  const reach = await store.reach?.(signal);
  if (reach && !reach.shell) {
    const file = join(reach.directory, path);
    await check(file, { path, content, signal });
    return { file, [Symbol.asyncDispose]: async () => {} };
  }
  const directory = await mkdtemp(join(await temporaryDirectory(), "fetched-"));
  const dispose = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    if (reach) {
      const files = [Buffer.from(path).toString("latin1")];
      await rsyncCopy({ from: reach, to: { directory }, options: [], files, onLine: () => {}, signal });
    } else await writeFile(join(directory, "file"), await store.read(path, signal), { mode: 0o600 });
    const file = join(directory, reach ? path : "file");
    await check(file, { path, content, signal });
    return { file, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function check(
  file: string,
  { path, content, signal }: { readonly path: Path; readonly content: Content; readonly signal: AbortSignal },
): Promise<void> {
  const hash = new ContentHash();
  try {
    for await (const piece of createReadStream(file, { signal })) hash.update(piece as Uint8Array);
  } catch (error) {
    if (signal.aborted) throw error;
    const message = `${path} cannot be read (${systemCode(error) ?? "unknown error"}); see backup verify`;
    throw new BackupError("ITEM_UNREADABLE", message, { cause: error });
  }
  if (hash.content().digest !== content.digest)
    throw new BackupError(
      "ITEM_UNREADABLE",
      `${path} holds other bytes than its name says, and was not restored; see backup verify`,
    );
}
