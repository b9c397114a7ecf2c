import {
  BackupError,
  type Body,
  type Candidate,
  type Collection,
  type Naming,
  type Path,
  type Proof,
  type Source,
  type Unavailable,
  type View,
  throwIfAborted,
} from "@backup/core";
import { Connections } from "./connections.js";
import { folderChanges } from "./folder-changes.js";
import { type FolderName, folderOf } from "./folder-names.js";
import { type Folder, type FolderFilter, folderMatcher, listFolders } from "./list-folders.js";
import { maildirLayout } from "./maildir-layout.js";
import { listFrom, listMessages } from "./list-messages.js";
import type { MailItem, MessageItem } from "./mail-item.js";
import { type Heads, proveMessages } from "./prove-messages.js";
import { openWithRows } from "./open-with-rows.js";
import { readSideBySide } from "./read-side-by-side.js";
import type { ImapSession, SessionOptions } from "./session.js";
import { SharedLanes, TOGETHER } from "./shared-lanes.js";

export interface ImapSourceOptions extends SessionOptions {
  /** Default: every folder. */
  readonly filter?: Partial<FolderFilter> | undefined;
  /** At the same time, at most; a server that allows fewer is obeyed. Default 4. */
  readonly connections?: number | undefined;
  /** What `changes` watches. */
  readonly watch?: WatchedFolders | undefined;
}

export interface WatchedFolders {
  /** By glob, among those that are backed up. Default: INBOX. */
  readonly folders?: readonly string[] | undefined;
  /** Beside the others, at most; folders that there is none for are looked at once a minute. Default 1. */
  readonly connections?: number | undefined;
  /** How often they are asked for something, milliseconds. Default: a minute, or `timeoutMs` if that is less. */
  readonly beatMs?: number | undefined;
}

const CONNECTIONS = 4;
const WATCHED = ["INBOX"];

/**
 * An IMAP account (RFC 3501) as a source: a folder is a collection, a message an item of the identity
 * UIDVALIDITY + UID. Opened read-only. The destination is a Maildir tree; see docs/format.md.
 */
export class ImapSource implements Source<MailItem> {
  readonly id: string;
  readonly leaves = maildirLayout.leaves;
  readonly lanes: number;
  readonly #options: ImapSourceOptions;
  readonly #connections: Connections;
  readonly #shared: SharedLanes;
  readonly #filter: FolderFilter;
  readonly #warn: (message: string) => void;
  readonly #folders = new Map<Path, Folder>();
  /** As the server said when it listed its folders. */
  #isOurs: (folder: FolderName) => boolean = () => true;

  constructor(options: ImapSourceOptions) {
    // A mail address says whose account it is, under whatever name its server is reached; a bare logon name does not.
    const { user } = options.login;
    this.id = `imap:${user.includes("@") ? user : `${user}@${options.server.host}`}`;
    this.#options = options;
    const { connections = CONNECTIONS } = options;
    this.lanes = connections * TOGETHER;
    this.#connections = new Connections(options, connections);
    this.#shared = new SharedLanes(this.#connections);
    this.#warn = (message) => options.onEvent?.({ type: "warning", code: "NOTHING_SELECTED", message });
    this.#filter = { include: [], exclude: [], namespaces: [], ...options.filter };
  }

  naming({ colon }: { readonly colon: boolean }): Naming<MailItem> {
    return maildirLayout.naming({ colon });
  }

  collectionAt(directory: Path): Path | undefined {
    const path = maildirLayout.collectionAt(directory);
    const folder = path === undefined ? undefined : folderOf(path);
    return folder && this.#isOurs(folder) && folderMatcher(this.#filter)(folder) ? path : undefined;
  }

  async *collections(signal: AbortSignal): AsyncGenerator<Collection | Unavailable> {
    const { folders, unmatched, unused, names, unavailable, foreign, isOurs } = await this.#connections.use(
      signal,
      (session) => listFolders(session, this.#filter, signal),
    );
    if (names.length > 0 && folders.length === 0)
      throw new BackupError(
        "NOTHING_SELECTED",
        `no folder is selected; the account has ${listOf(names)}. Check --folder and --exclude-folder`,
      );
    this.#isOurs = isOurs;
    if (foreign.length > 0)
      this.#warn(`folders of others are left out, --namespace other,shared takes them: ${listOf(foreign)}`);
    yield* unavailable;
    for (const pattern of unmatched)
      yield {
        name: pattern,
        error: new BackupError(
          "NOTHING_SELECTED",
          `no folder matches --folder '${pattern}'; the account has ${listOf(names)}`,
        ),
      };
    for (const pattern of unused)
      this.#warn(`no folder matches --exclude-folder '${pattern}'; the account has ${listOf(names)}`);
    this.#folders.clear();
    for (const folder of folders) {
      this.#folders.set(folder.path, folder);
      yield folder;
    }
  }

  async *list(
    collection: Collection,
    view: View,
    signal: AbortSignal,
  ): AsyncGenerator<readonly (MailItem | Unavailable)[]> {
    const folder = this.#folderOf(collection.path);
    const listing = { folder, view, signal };
    const first =
      view.since === undefined
        ? await this.#shared.use((lane) => openWithRows(lane, folder, signal), signal)
        : undefined;
    const listed = first && (await listFrom(first, listing));
    yield listed ?? (await this.#connections.use(signal, (session) => listMessages(session, listing, first)));
  }

  async *prove(
    candidates: readonly Candidate<MailItem>[],
    heads: Heads,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Proof<MailItem>[]> {
    const messages = candidates.flatMap(({ item, files }) => (item.sidecar ? [] : [{ item, files }]));
    yield await proveMessages(messages, { connections: this.#connections, folderAt: this.#folderOf, heads, signal });
  }

  async *read(items: readonly MailItem[], signal: AbortSignal): AsyncGenerator<Body<MailItem>> {
    const messages: MessageItem[] = [];
    for (const item of items) {
      throwIfAborted(signal);
      if (item.sidecar) yield { item, bytes: item.bytes };
      else messages.push(item);
    }
    const reading = { connections: this.#connections, folderAt: this.#folderOf, signal };
    yield* readSideBySide(reading, messages);
  }

  changes(signal: AbortSignal): AsyncGenerator<void> {
    const { folders = WATCHED, connections = 1, beatMs } = this.#options.watch ?? {};
    const find = async (session: ImapSession): Promise<readonly Folder[]> => {
      const listed = await listFolders(session, this.#filter, signal);
      const isWatched = folderMatcher({ include: folders, exclude: [] });
      const watched = listed.folders.filter(({ name }) => isWatched(name.split("/")));
      if (watched.length > 0) return watched;
      const names = listOf(listed.folders.map(({ name }) => name));
      const message = `no folder to watch matches ${folders.join(", ")}; what is backed up has ${names}. Check --watch-folder`;
      throw new BackupError("NOTHING_SELECTED", message);
    };
    return folderChanges({ ...this.#options, connections, beatMs, find }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
  }

  readonly #folderOf = (path: Path): Folder => {
    const folder = this.#folders.get(path);
    if (!folder) throw new BackupError("COLLECTION_UNAVAILABLE", `folder ${path} was not listed`);
    return folder;
  };
}

/** At most a dozen names. */
function listOf(names: readonly string[]): string {
  const shown = names.slice(0, 12).join(", ");
  return names.length > 12 ? `${shown} and ${names.length - 12} more` : shown;
}
