import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupError, type DrillPlace, atExit, drillInto, systemCode } from "@backup/core";

/** Into a directory that only this user may enter, and that goes with the process if that is ended in a hurry. */
export const drillHere: DrillPlace = async (request) => {
  const directory = await mkdtemp(join(tmpdir(), "backup-drill-")).catch((error: unknown) => {
    const reason = systemCode(error) ?? "unknown error";
    const message = `nothing can be restored to ${tmpdir()} (${reason}); make room there, or set TMPDIR to another directory`;
    throw new BackupError("DESTINATION_UNWRITABLE", message, { cause: error });
  });
  using _gone = atExit(() => rmSync(directory, { recursive: true, force: true }));
  try {
    return await drillInto(directory)(request);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
