import { BackupError, systemCode } from "./errors.js";

/** An error of the file system as one for a person; what is no system error passes through. */
export function diskError(error: unknown, where: string): unknown {
  const code = systemCode(error);
  if (!(error instanceof Error) || error instanceof BackupError || code === undefined) return error;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new BackupError(
        "DISK_FULL",
        `${where} is full (${code}); what was copied is kept. Make room and run again`,
        { cause: error },
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new BackupError(
        "DESTINATION_UNWRITABLE",
        `${where} cannot be written (${code}${pathOf(error)}); give this user the right to, or choose another directory`,
        { cause: error },
      );
    case "ENOTDIR":
    case "EEXIST":
    case "EISDIR":
      return new BackupError(
        "DESTINATION_UNWRITABLE",
        `${where} cannot be used as a directory (${code}${pathOf(error)}); choose another`,
        { cause: error },
      );
    default:
      // A place where the system lets nobody make anything: /proc.
      if (code === "ENOENT" && "syscall" in error && error.syscall === "mkdir")
        return new BackupError(
          "DESTINATION_UNWRITABLE",
          `${where} cannot be made (${code}${pathOf(error)}); choose another directory`,
          { cause: error },
        );
      return new BackupError("DESTINATION_UNWRITABLE", `${where} failed with ${code}${pathOf(error)}; check the disk`, {
        cause: error,
      });
  }
}

/** The result, or undefined where the error is one of these system codes. */
export async function ignoring<T>(codes: readonly string[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const code = systemCode(error);
    if (code !== undefined && codes.includes(code)) return undefined;
    throw error;
  }
}

function pathOf(error: unknown): string {
  return error instanceof Error && "path" in error && typeof error.path === "string" ? ` at ${error.path}` : "";
}
