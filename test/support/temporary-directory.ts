import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** An empty directory, 0700, that is removed with all that it holds. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  // A short name: servers make Unix sockets in it, and their paths end at 107 bytes.
  const path = await mkdtemp(join(tmpdir(), "bk-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}
