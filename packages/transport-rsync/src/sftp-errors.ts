import { BackupError, isBackupError } from "@backup/core";
import { STATUS, type SftpCalls, SftpStatus } from "./sftp-calls.js";

export interface Attempt {
  /** What a person calls the destination. */
  readonly where: string;
  /** A directory there, to be asked for its room. */
  readonly root: string;
  /** Bytes that were to be written. */
  readonly bytes: number;
}

/** Less room than this, and what failed to be written failed for want of it. */
const LITTLE = 64 * 1024;

/**
 * The server's refusal as an error for a person; what is none passes through. Version 3 says "Failure" for all that
 * has no code of its own, so that a full disk is only known by asking.
 */
export async function explained(error: unknown, sftp: SftpCalls, attempt: Attempt): Promise<unknown> {
  if (!(error instanceof SftpStatus)) return error;
  const room = error.status === STATUS.FAILURE && sftp.offers.statvfs ? await roomOf(sftp, attempt.root) : undefined;
  if (room && (room.bytes < Math.max(attempt.bytes, LITTLE) || room.files === 0)) {
    const what = room.files === 0 ? "holds no more files" : "is full";
    return new BackupError("DISK_FULL", `${attempt.where} ${what}; what was copied is kept. Make room and run again`, {
      cause: error,
    });
  }
  return statusError(error, attempt.where);
}

function statusError(error: SftpStatus, where: string): BackupError {
  const path = JSON.stringify(error.path);
  switch (error.status) {
    case STATUS.PERMISSION_DENIED:
      return new BackupError(
        "DESTINATION_UNWRITABLE",
        `${where} cannot be written: permission denied at ${path}; give this user the right to, or choose another directory`,
        { cause: error },
      );
    case STATUS.NO_SUCH_FILE:
      return new BackupError(
        "DESTINATION_UNWRITABLE",
        `${where} cannot be used: ${path} is not there, or a part of it is no directory; choose another directory`,
        { cause: error },
      );
    default:
      return new BackupError(
        "DESTINATION_UNWRITABLE",
        `${where} cannot be written: ${error.operation} of ${path}: the server says ${JSON.stringify(error.message)} (disk or quota full, read-only, or something else of that name in the way); check it there`,
        { cause: error },
      );
  }
}

async function roomOf(sftp: SftpCalls, root: string): ReturnType<SftpCalls["statvfs"]> {
  try {
    return await sftp.statvfs(root);
  } catch (error) {
    // It only serves to explain another error.
    if (error instanceof SftpStatus) return { bytes: Infinity, files: undefined };
    throw error;
  }
}

export function lostError(host: string, reason: unknown): BackupError {
  if (isBackupError(reason)) return reason;
  return new BackupError("CONNECTION_LOST", `the connection to ${host} was lost; check the network and run again`, {
    transient: true,
    cause: reason,
  });
}

export function silentError(host: string, timeoutMs: number): BackupError {
  const seconds = Math.round(timeoutMs / 1000);
  return new BackupError("CONNECTION_LOST", `${host} has not answered for ${seconds} s; check it and run again`, {
    transient: true,
  });
}
