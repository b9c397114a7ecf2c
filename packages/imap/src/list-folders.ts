import { BackupError, type Collection, type Unavailable, throwIfAborted } from "@backup/core";
import type { ImapFlow, ListResponse } from "imapflow";
import picomatch from "picomatch";
import { fingerprintOf } from "./fingerprint.js";
import { type FolderName, directoriesFor } from "./folder-names.js";
import { type Foreign, type Namespace, kindOf, namespacesOf } from "./namespaces.js";
import type { ImapSession } from "./session.js";

/** Which folders to back up, by glob over the name with `/` between its parts. */
export interface FolderFilter {
  /** Empty: all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Namespaces beside the personal ones. */
  readonly namespaces: readonly Foreign[];
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
  /** Names of the folders of namespaces that are not asked for. */
  readonly foreign: readonly string[];
  /** Whether a folder of this name is of a namespace that is asked for. */
  readonly isOurs: (folder: FolderName) => boolean;
}

/** Connections tried for one LIST. */
const ATTEMPTS = 3;
/** Longest name that is looked at, characters: no path may be longer. */
const LONGEST = 3000;
/** Deepest: each part is a directory to make, and to walk through. */
const DEEPEST = 100;

/**
 * Every folder of the namespaces that are asked for, subscribed or not, with what its STATUS says: one LIST with RETURN (STATUS)
 * (RFC 5819) where the server has it. Folders that cannot be selected are parents at most, and left out.
 */
export async function listFolders(
  session: ImapSession,
  filter: FolderFilter,
  signal: AbortSignal,
): Promise<FolderList> {
  const { listed, unreadable, namespaces } = await list(session, filter, signal);
  const unavailable: Unavailable[] = [];
  for (const kind of filter.namespaces)
    if (!namespaces.some((namespace) => namespace.kind === kind)) unavailable.push(noNamespace(kind));
  const isOurs = (folder: FolderName): boolean => isWanted(kindOf(folder, namespaces), filter);
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
  const foreign: string[] = [];
  for (const [index, { entry, mailbox, folder }] of named.entries()) {
    const path = directories[index];
    if (isSelectable(entry) && !isOurs(folder)) foreign.push(folder.join("/"));
    if (!isOurs(folder)) continue;
    if (path === undefined || !isSelectable(entry) || !matches(folder)) continue;
    const fingerprint = fingerprintOf(entry);
    folders.push({ path, name: folder.join("/"), mailbox, ...(fingerprint === undefined ? {} : { fingerprint }) });
  }
  const names = named.flatMap(({ folder }) => (isOurs(folder) ? [folder.join("/")] : []));
  const matchesNone = (pattern: string): boolean => !names.some((name) => picomatch.isMatch(name, pattern, GLOB));
  const [unmatched, unused] = [filter.include.filter(matchesNone), filter.exclude.filter(matchesNone)];
  return { folders, unmatched, unused, names, unavailable, foreign, isOurs };
}

function isWanted(kind: Namespace["kind"], { namespaces }: Pick<FolderFilter, "namespaces">): boolean {
  return kind === "personal" || namespaces.includes(kind);
}

function noNamespace(kind: Foreign): Unavailable {
  const message = `the server has no namespace for --namespace ${kind}; nothing is deleted`;
  return { name: kind, error: new BackupError("NOTHING_SELECTED", message) };
}

interface Listed {
  readonly namespaces: readonly Namespace[];
  readonly listed: readonly ListResponse[];
  /** Whether there was more that could not be read. */
  readonly unreadable: boolean;
}

/** The server's list, on a new connection if one is lost. */
async function list(
  session: ImapSession,
  filter: Pick<FolderFilter, "namespaces">,
  signal: AbortSignal,
): Promise<Listed> {
  for (let attempt = 1; ; attempt++) {
    const client = await session.client(signal);
    const before = session.unreadable;
    try {
      const namespaces = namespacesOf(client);
      const listed: ListResponse[] = [];
      for (const namespace of namespaces)
        if (isWanted(namespace.kind, filter)) listed.push(...(await listNamespace(client, namespace)));
      return { listed, namespaces, unreadable: session.unreadable > before };
    } catch (error) {
      throwIfAborted(signal);
      const problem = session.error(error);
      if (client.usable || !problem.transient || attempt >= ATTEMPTS) throw problem;
      session.drop();
    }
  }
}

/** Imapflow lists what it takes for its namespace, and INBOX. */
async function listNamespace(client: ImapFlow, { prefix, delimiter }: Namespace): Promise<readonly ListResponse[]> {
  const { namespace } = client;
  client.namespace = { prefix, delimiter: delimiter ?? "" };
  try {
    const statusQuery = { messages: true, uidNext: true, uidValidity: true, highestModseq: true };
    return await client.list({ statusQuery });
  } finally {
    client.namespace = namespace;
  }
}

/** Whether a folder is to be backed up. */
export function folderMatcher({ include, exclude }: Omit<FolderFilter, "namespaces">): (folder: FolderName) => boolean {
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
