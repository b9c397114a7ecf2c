import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { BackupError, systemCode } from "@backup/core";
import { type TakeAttachment, attachmentFileName, numberedName } from "@backup/mail";

/** Where an attachment went. */
export interface Saved {
  readonly file: string;
}

/** Takes the attachments of one message. */
export interface Saver {
  readonly take: TakeAttachment | undefined;
  /** In the order of the attachments. */
  readonly saved: readonly Saved[];
}

/** Files of one name, at most. */
const MOST_ALIKE = 10_000;

/** For a message whose attachments are shown and not saved. */
export function listOnly(): Saver {
  return { take: undefined, saved: [] };
}

/**
 * Saves attachments in a directory, which is made: 0600, by their own names as far as those are safe, and never over a file
 * that is there.
 */
export async function attachmentSaver(directory: string): Promise<() => Saver> {
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw notSaved(directory, error);
  });
  return () => {
    const saved: Saved[] = [];
    const take: TakeAttachment = async (attachment, bytes) => {
      const name = attachmentFileName(attachment, saved.length + 1);
      saved.push({ file: await save(directory, name, bytes) });
    };
    return { take, saved };
  };
}

async function save(directory: string, name: string, bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const { file, handle } = await create(directory, name);
  try {
    await pipeline(bytes, handle.createWriteStream({ flush: true }));
    return file;
  } catch (error) {
    await rm(file, { force: true });
    throw systemCode(error) === undefined ? error : notSaved(file, error);
  }
}

/** A new file of this name, or of the next free one. */
async function create(
  directory: string,
  name: string,
): Promise<{ readonly file: string; readonly handle: FileHandle }> {
  for (let number = 1; number <= MOST_ALIKE; number++) {
    const file = join(directory, number === 1 ? name : numberedName(name, number));
    try {
      return { file, handle: await open(file, "wx", 0o600) };
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw notSaved(file, error);
    }
  }
  throw new BackupError("USAGE", `${directory} has ${MOST_ALIKE} files named like ${name}; choose another directory`);
}

function notSaved(where: string, error: unknown): BackupError {
  const reason = systemCode(error) ?? "unknown error";
  return new BackupError("DESTINATION_UNWRITABLE", `${where} cannot be written (${reason}); choose another directory`, {
    cause: error,
  });
}
