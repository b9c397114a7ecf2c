import type { CollectionFiles, Content, Layout, Path, StoredMail } from "@backup/core";

/** A message of a backup, as its file's name says it. */
export interface StoredMessage extends Content, Pick<StoredMail, "uid" | "letters"> {
  /** What a person calls it. */
  readonly folder: string;
  /** Of the folder, at the destination. */
  readonly directory: Path;
  /** `V<uidvalidity>U<uid>`. */
  readonly id: string;
  readonly path: Path;
  /** When it was received (INTERNALDATE), milliseconds since 1970. */
  readonly date: number;
}

/** The messages among a folder's files. */
export function messagesOf(
  { name: folder, path: directory, known }: CollectionFiles,
  layout: Pick<Layout<never>, "mailOf">,
): readonly StoredMessage[] {
  return known.flatMap(({ file: { path }, identity: { id }, content }) => {
    const name = layout.mailOf?.(path);
    if (!name || !content) return [];
    const { uid, received: date, letters } = name;
    return [{ ...content, folder, directory, uid, id, path, date, letters }];
  });
}

/** How a person names it. */
export function labelOf({ folder, uid }: StoredMessage): string {
  return `${folder}/${uid}`;
}

/** Flags by their letters in a file's name, as they are asked for and shown. */
export const FLAGS = {
  draft: "D",
  flagged: "F",
  answered: "R",
  seen: "S",
  deleted: "T",
} as const;

/** What is known of a message without reading it, for programs. */
export function factsOf(message: StoredMessage): object {
  const { folder, uid, id, path, date, size, digest, letters } = message;
  const flags = Object.entries(FLAGS).flatMap(([flag, letter]) => (letters.includes(letter) ? [flag] : []));
  return { folder, uid, id, path, date: new Date(date).toISOString(), size, digest, flags };
}
