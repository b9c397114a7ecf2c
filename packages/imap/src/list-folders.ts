import { BackupError, type Collection, type Path, type Unavailable, throwIfAborted } from "@backup/core";
import type { ListResponse } from "imapflow";
import picomatch from "picomatch";
import { fingerprintOf } from "./fingerprint.js";
import { type FolderName, directoriesFor } from "./folder-names.js";
import type { ImapSession } from "./session.js";

/** Which folders to back up, by glob over the name with `/` between its parts. */
export interface FolderFilter {
  /** Empty: all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** A folder that holds messages. */
export interface Folder extends Collection {
  /** The name for SELECT. */
  readonly mailbox: string;
}

export interface FolderList {
  readonly folders: readonly Folder[];
  /** Patterns of `include` that no folder matched. */
  readonly unmatched: readonly string[];
  /** Patterns of `exclude` that no folder matched. */
  readonly unused: readonly string[];
  /** Names of every folder of the account, also those left out. */
  readonly names: readonly string[];
  /** What the server listed and nobody can make a folder of. */
  readonly unavailable: readonly Unavailable[];
}

/** Connections tried for one LIST. */
const ATTEMPTS = 3;
/** Longest name that is looked at, characters: no path may be longer. */
const LONGEST = 3000;
/** Deepest: each part is a directory to make, and to walk through. */
const DEEPEST = 100;

/**
 * Every folder of the account, subscribed or not, with what its STATUS says: one LIST with RETURN (STATUS)
 * (RFC 5819) where the server has it. Folders that cannot be selected are parents at most, and left out.
 */
export async function listFolders(
  session: ImapSession,
  filter: FolderFilter,
  signal: AbortSignal,
): Promise<FolderList> {
  const { listed, unreadable } = await list(session, signal);
  const unavailable: Unavailable[] = [];
  // Not to be had, and not to be taken for deleted.
  if (unreadable)
    unavailable.push(notListed("(unreadable)", "the server's list of folders has entries that cannot be read"));
  const unique = new Map(listed.map((entry) => [listedName(entry), entry]));
  const named: { readonly entry: ListResponse; readonly mailbox: string; readonly folder: FolderName }[] = [];
  for (const entry of unique.values()) {
    const mailbox = mailboxName(entry);
    const folder = folderName(mailbox, entry.delimiter);
    const leftOut = (what: string): unknown => unavailable.push(notListed(`${mailbox.slice(0, 40)}…`, what));
    if (mailbox.length > LONGEST) leftOut(`a folder's name has ${mailbox.length} characters`);
    else if (folder.length > DEEPEST) leftOut(`a folder's name has ${folder.length} parts`);
    else named.push({ entry, mailbox, folder });
  }
  // Directories are given out over all folders, so that a filter never changes where a folder is kept.
  const directories = directoriesFor(named.map(({ folder }) => folder));
  const matches = folderMatcher(filter);
  const folders: Folder[] = [];
  for (const [index, { entry, mailbox, folder }] of named.entries()) {
    const path = directories[index];
    if (path === undefined || !isSelectable(entry) || !matches(folder)) continue;
    const fingerprint = fingerprintOf(entry);
    folders.push({ path, name: folder.join("/"), mailbox, ...(fingerprint === undefined ? {} : { fingerprint }) });
  }
  const names = named.map(({ folder }) => folder.join("/"));
  const matchesNone = (pattern: string): boolean => !names.some((name) => picomatch.isMatch(name, pattern, GLOB));
  const [unmatched, unused] = [filter.include.filter(matchesNone), filter.exclude.filter(matchesNone)];
  return { folders, unmatched, unused, names, unavailable };
}

interface Listed {
  readonly listed: readonly ListResponse[];
  /** Whether there was more that could not be read. */
  readonly unreadable: boolean;
}

/** The server's list, on a new connection if one is lost. */
async function list(session: ImapSession, signal: AbortSignal): Promise<Listed> {
  for (let attempt = 1; ; attempt++) {
    const client = await session.client(signal);
    const before = session.unreadable;
    try {
      const statusQuery = { messages: true, uidNext: true, uidValidity: true, highestModseq: true };
      const listed = await client.list({ statusQuery });
      return { listed, unreadable: session.unreadable > before };
    } catch (error) {
      throwIfAborted(signal);
      const problem = session.error(error);
      if (client.usable || !problem.transient || attempt >= ATTEMPTS) throw problem;
      session.drop();
    }
  }
}

/** Whether a folder is to be backed up. */
export function folderMatcher({ include, exclude }: FolderFilter): (folder: FolderName) => boolean {
  const wanted = include.length > 0 ? picomatch([...include], GLOB) : () => true;
  const unwanted = exclude.length > 0 ? picomatch([...exclude], GLOB) : () => false;
  return (folder) => wanted(folder.join("/")) && !unwanted(folder.join("/"));
}

const GLOB = { dot: true } as const;

function notListed(name: string, what: string): Unavailable {
  const message = `${what}; these folders are left out, and nothing is deleted`;
  return { name, error: new BackupError("COLLECTION_UNAVAILABLE", message, { transient: true }) };
}

/** Tells folders apart that are two to the server: a server may list one twice, and INBOX in any case. */
function listedName({ path, pathAsListed }: ListResponse): string {
  return path === "INBOX" ? path : pathAsListed;
}

/** The name for EXAMINE. imapflow drops a delimiter at its beginning, and then it names another folder. */
function mailboxName({ path, pathAsListed, delimiter }: ListResponse): string {
  return delimiter && pathAsListed.startsWith(delimiter) ? delimiter + path : path;
}

/** What cannot be opened; compared without case (RFC 3501, section 9; RFC 5258, section 3). */
const NO_FOLDER: ReadonlySet<string> = new Set(["\\noselect", "\\nonexistent"]);

function isSelectable({ flags }: ListResponse): boolean {
  return [...flags].every((flag) => !NO_FOLDER.has(flag.toLowerCase()));
}

/** The parts of a folder's name. INBOX is INBOX however a server writes it (RFC 3501, section 5.1). */
function folderName(mailbox: string, delimiter: string | null | undefined): FolderName {
  const parts = delimiter ? mailbox.split(delimiter) : [mailbox];
  return parts[0]?.toUpperCase() === "INBOX" ? ["INBOX", ...parts.slice(1)] : parts;
}

/** The collection that a directory belongs to: what `listFolders` calls its `path`. */
export function collectionPathOf(directory: Path): Path | undefined {
  return directory.endsWith("/cur") ? directory.slice(0, -"/cur".length) : undefined;
}
