import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Who reads the file finds the old text or the new one, whole. */
export async function replaceFile(file: string, text: string): Promise<void> {
  // The collector reads names that end in .prom.
  const temporary = join(dirname(file), `.${basename(file)}.${randomUUID()}.tmp`);
  try {
    await using handle = await open(temporary, "wx", 0o600);
    await writeAll(handle, text);
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function writeAll(handle: FileHandle, text: string): Promise<void> {
  await handle.writeFile(text);
  // node_exporter reads it as another user, and there is nothing in it but names and counts. Not left to the umask.
  await handle.chmod(0o644);
  await handle.sync();
}
