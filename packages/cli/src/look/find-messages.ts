import { BackupError, type Path } from "@backup/core";
import type { OpenMail } from "./open-mail.js";
import { type StoredMessage, labelOf } from "./stored-message.js";

/** What a person calls a message, and which ones that may be. */
interface Asked {
  readonly text: string;
  readonly matches: (message: StoredMessage) => boolean;
  /** By digest: files of the same bytes are one message. */
  readonly found: Map<string, StoredMessage>;
}

/** What is there, for whoever named something else. */
interface Near {
  /** Names of all folders. */
  readonly folders: readonly string[];
  /** UIDs of those that were listed. */
  readonly uids: ReadonlyMap<string, readonly number[]>;
}

/** Shortest beginning of a digest. */
const SHORTEST = 4;
/** In a message. */
const SHOWN = 12;
const HOW =
  "name it FOLDER/UID, by its path at the destination, or by the beginning of its digest, as backup search prints them";

/**
 * The messages that these texts name, in their order: `FOLDER/UID`, the path of the file, or the beginning of the digest.
 * @throws BackupError NOT_FOUND, USAGE where it may be one or another
 */
export async function findMessages(mail: OpenMail, texts: readonly string[]): Promise<readonly StoredMessage[]> {
  const asked = texts.map((text): Asked => ({ text, matches: matcherOf(text), found: new Map() }));
  const folders: string[] = [];
  const uids = new Map<string, readonly number[]>();
  const wanted = (folder: { readonly name: string; readonly path: Path }): boolean => {
    folders.push(folder.name);
    return texts.some((text) => mayBeIn(text, folder));
  };
  for await (const messages of mail.messages(wanted)) {
    const [first] = messages;
    const numbers = messages.map(({ uid }) => uid);
    if (first) uids.set(first.folder, numbers);
    for (const { matches, found } of asked)
      for (const message of messages.filter(matches))
        if (!found.has(message.digest)) found.set(message.digest, message);
  }
  return asked.map((each) => theOne(each, { folders, uids }, mail.store.name));
}

/** Whether a folder has to be listed: one that a text names, or any for a digest, which has no slash. */
function mayBeIn(text: string, { name, path }: { readonly name: string; readonly path: Path }): boolean {
  const upper = text.toUpperCase();
  return !text.includes("/") || [name, path].some((folder) => upper.includes(`${folder.toUpperCase()}/`));
}

function matcherOf(text: string): Asked["matches"] {
  const [, folder, number] = /^(.+)\/((?:V\d{1,20}U)?\d{1,10})$/.exec(text) ?? [];
  const isFolder = (name: string): boolean =>
    name === folder || (name === "INBOX" && folder?.toUpperCase() === "INBOX");
  return (message) =>
    text === message.path ||
    // As a shell completes it, where the destination is here.
    text.endsWith(`/${message.path}`) ||
    ((isFolder(message.folder) || message.directory === folder) &&
      (number === String(message.uid) || number === message.id)) ||
    (text.length >= SHORTEST && message.digest.startsWith(text.toLowerCase()));
}

function theOne({ text, found }: Asked, near: Near, destination: string): StoredMessage {
  const [first, ...more] = found.values();
  if (first && more.length === 0) return first;
  if (!first)
    throw new BackupError("NOT_FOUND", `${destination} has no message '${text}'${nearTo(text, near)}; ${HOW}`);
  const all = [first, ...more].map((message) => `${labelOf(message)} (${message.digest})`);
  const shown = all.slice(0, SHOWN).join(", ");
  const rest = all.length > SHOWN ? ` and ${all.length - SHOWN} more` : "";
  throw new BackupError("USAGE", `'${text}' may be any of ${shown}${rest}; give more of the digest`);
}

/** The messages around it, or the folders that there are. */
function nearTo(text: string, { folders, uids: listed }: Near): string {
  const [, folder = "", number] = /^(.+)\/(\d{1,10})$/.exec(text) ?? [];
  if (number === undefined) return "";
  const uids = [...listed].find(([name]) => name.toUpperCase() === folder.toUpperCase())?.[1];
  if (!uids) return `: its folders are ${folders.slice(0, SHOWN).join(", ")}${folders.length > SHOWN ? " …" : ""}`;
  const wanted = Number(number);
  const below = uids.filter((uid) => uid < wanted).reduce((best, uid) => Math.max(best, uid), 0);
  const above = uids.filter((uid) => uid > wanted).reduce((best, uid) => Math.min(best, uid), Infinity);
  const around = [below, above].filter((uid) => uid > 0 && Number.isFinite(uid));
  return `: the nearest in ${folder} ${around.length > 1 ? "are" : "is"} ${around.join(" and ")}`;
}
