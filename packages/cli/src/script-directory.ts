import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupError, atExit, systemCode } from "@backup/core";

/** Where the commands in a script note what they did. */
export interface ScriptDirectory extends AsyncDisposable {
  readonly journal: string;
}

/** In a container that is read-only it may be the only one that takes files. */
const MEMORY = "/dev/shm";

/** A private directory (0700) with an empty journal; removed at the end, and when this process ends before. @throws BackupError SCRIPT_FAILED */
export async function openScriptDirectory(): Promise<ScriptDirectory> {
  const places = [...new Set([tmpdir(), MEMORY])];
  const errors: unknown[] = [];
  for (const place of places) {
    try {
      return await makeIn(place);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      errors.push(error);
    }
  }
  throw new BackupError(
    "SCRIPT_FAILED",
    `a script needs a directory for temporary files, and ${places.join(" and ")} take none ` +
      `(${errors.map(systemCode).join(", ")}); name one by TMPDIR, or start the container with --tmpfs /tmp`,
    { cause: errors[0] },
  );
}

async function makeIn(place: string): Promise<ScriptDirectory> {
  const path = await mkdtemp(join(place, "backup-"));
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  const left = atExit(remove);
  const dispose = async (): Promise<void> => {
    left[Symbol.dispose]();
    remove();
  };
  const journal = join(path, "journal");
  try {
    await writeFile(journal, "", { mode: 0o600 });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { journal, [Symbol.asyncDispose]: dispose };
}
