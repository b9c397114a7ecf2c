import {
  BackupError,
  type Body,
  type Candidate,
  type Collection,
  type Content,
  type Known,
  type Naming,
  type Path,
  type Proof,
  type Source,
  type Stored,
  type Unavailable,
  type View,
  throwIfAborted,
} from "@backup/core";
import { Connections } from "./connections.js";
import { type FolderName, folderOf } from "./folder-names.js";
import { KEYWORDS_FILE, MORE_KEYWORDS_FILE } from "./keywords.js";
import { type Folder, type FolderFilter, collectionPathOf, folderMatcher, listFolders } from "./list-folders.js";
import { listMessages } from "./list-messages.js";
import type { MailItem, MessageItem } from "./mail-item.js";
import { identifyMessage, messageFileName, messagePath } from "./message-names.js";
import { type Heads, proveMessages } from "./prove-messages.js";
import { readSideBySide } from "./read-side-by-side.js";
import type { SessionOptions } from "./session.js";

export interface ImapSourceOptions extends SessionOptions {
  /** Default: every folder. */
  readonly filter?: Partial<FolderFilter> | undefined;
  /** At the same time, at most; a server that allows fewer is obeyed. Default 4. */
  readonly connections?: number | undefined;
}

const CONNECTIONS = 4;

/**
 * An IMAP account (RFC 3501) as a source: a folder is a collection, a message an item of the identity
 * UIDVALIDITY + UID. Opened read-only. The destination is a Maildir tree; see docs/format.md.
 */
export class ImapSource implements Source<MailItem> {
  readonly id: string;
  readonly leaves = ["cur", "new", "tmp"];
  readonly lanes: number;
  readonly #connections: Connections;
  readonly #filter: FolderFilter;
  readonly #warn: (message: string) => void;
  readonly #folders = new Map<Path, Folder>();
  /** As the server said when it listed its folders. */
  #isOurs: (folder: FolderName) => boolean = () => true;

  constructor(options: ImapSourceOptions) {
    // A mail address says whose account it is, under whatever name its server is reached; a bare logon name does not.
    const { user } = options.login;
    this.id = `imap:${user.includes("@") ? user : `${user}@${options.server.host}`}`;
    this.lanes = options.connections ?? CONNECTIONS;
    this.#connections = new Connections(options, this.lanes);
    this.#warn = (message) => options.onEvent?.({ type: "warning", code: "NOTHING_SELECTED", message });
    this.#filter = { include: [], exclude: [], namespaces: [], ...options.filter };
  }

  naming({ colon }: { readonly colon: boolean }): Naming<MailItem> {
    return {
      identify: identifyFile,
      path: (item, content) => pathOf(item, content, colon),
    };
  }

  collectionAt(directory: Path): Path | undefined {
    const path = collectionPathOf(directory);
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
    yield await this.#connections.use(signal, (session) => listMessages(session, folder, view, signal));
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
  }

  readonly #folderOf = (path: Path): Folder => {
    const folder = this.#folders.get(path);
    if (!folder) throw new BackupError("COLLECTION_UNAVAILABLE", `folder ${path} was not listed`);
    return folder;
  };
}

function pathOf(item: MailItem, content: Content, colon: boolean): Path {
  if (item.sidecar) return `${item.collection}/${item.id}`;
  const { uidValidity, uid, letters, mtime } = item;
  const name = messageFileName({ uidValidity, uid, letters, epoch: Math.floor(mtime / 1000) }, content, { colon });
  return messagePath(item.collection, name);
}

function identifyFile(file: Stored): Omit<Known, "file"> | undefined {
  const [directory, name] = split(file.path);
  if (directory.endsWith("/cur")) return identifyMessage(file);
  // No folder's directory is named so (folder-names.ts): what is in there is another program's.
  if (/(?:^|\/)(?:cur|new|tmp)$/.test(directory)) return undefined;
  if (name !== KEYWORDS_FILE && name !== MORE_KEYWORDS_FILE) return undefined;
  return { identity: { id: name, rev: `${file.size} ${file.mtime}`, sidecar: true } };
}

function split(path: Path): [string, string] {
  const cut = path.lastIndexOf("/");
  return [path.slice(0, Math.max(cut, 0)), path.slice(cut + 1)];
}

/** At most a dozen names. */
function listOf(names: readonly string[]): string {
  const shown = names.slice(0, 12).join(", ");
  return names.length > 12 ? `${shown} and ${names.length - 12} more` : shown;
}
