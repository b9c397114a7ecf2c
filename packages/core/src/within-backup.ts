import { BackupError } from "./errors.js";

/** A new destination inside of a backup: that one would never know its folder of this name from it. */
export function withinBackup(where: string, outer: string): BackupError {
  return new BackupError(
    "DESTINATION_OTHER",
    `${where} is inside of ${outer}, which is a backup itself; name a directory beside it`,
  );
}
