import { mkdir, mkdtemp, open, readdir, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BackupError, backupAround, systemCode, withinBackup } from "@backup/core";

/** A place beside the target, until what is written there is whole. It goes with all that it holds unless it is published. */
export interface Stage extends AsyncDisposable {
  /** Of a directory that is there, or of a file to be made. */
  readonly path: string;
  /** Puts it in the place of the target. */
  publish(): Promise<void>;
}

/** @throws BackupError USAGE where something is at the target; DESTINATION_OTHER within a backup; DESTINATION_UNWRITABLE */
export async function stageAt(target: string, { isDirectory }: { readonly isDirectory: boolean }): Promise<Stage> {
  const wanted = resolve(target);
  const parent = await realpath(dirname(wanted)).catch((error: unknown) => {
    throw unwritable(dirname(wanted), error);
  });
  const place = join(parent, basename(wanted));
  const outer = await backupAround(place);
  if (outer !== undefined) throw withinBackup(target, outer);
  await checkFree(target, place, isDirectory);
  const root = await mkdtemp(join(parent, ".backup-export-")).catch((error: unknown) => {
    throw unwritable(parent, error);
  });
  const path = join(root, basename(wanted));
  if (isDirectory) await mkdir(path, { mode: 0o700 });
  return {
    path,
    async publish() {
      await rename(path, place);
      await using directory = await open(parent);
      await directory.sync();
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

/** Nothing is there, or an empty directory for a directory. */
async function checkFree(target: string, place: string, isDirectory: boolean): Promise<void> {
  const names = await readdir(place).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined;
    if (systemCode(error) === "ENOTDIR") return [place];
    throw unwritable(place, error);
  });
  if (names === undefined || (isDirectory && names.length === 0)) return;
  const what =
    names.length > 0 ? "is there already, and nothing is overwritten" : "is a directory, and an archive is a file";
  throw new BackupError("USAGE", `${target} ${what}; name a new one`);
}

function unwritable(where: string, error: unknown): BackupError {
  const reason = systemCode(error) ?? "unknown error";
  const message = `nothing can be made in ${where} (${reason}); make that directory, or name another`;
  return new BackupError("DESTINATION_UNWRITABLE", message, { cause: error });
}
