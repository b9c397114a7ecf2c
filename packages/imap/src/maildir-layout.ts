import type { Content, Known, Layout, Path, Stored } from "@backup/core";
import { folderOf } from "./folder-names.js";
import { keywordFlaws } from "./keyword-flaws.js";
import { KEYWORDS_FILE, MORE_KEYWORDS_FILE } from "./keywords.js";
import type { MailItem } from "./mail-item.js";
import { identifyMessage, messageFileName, messagePath, readMessageName } from "./message-names.js";

const MARK = "/cur";

/** The Maildir tree of docs/format.md. */
export const maildirLayout: Layout<MailItem> = {
  leaves: ["cur", "new", "tmp"],
  naming: ({ colon }) => ({
    identify: identifyFile,
    path: (item, content) => pathOf(item, content, colon),
  }),
  flawsOf: keywordFlaws,
  mailOf(path) {
    const name = readMessageName(path);
    return name && { uid: name.uid, received: name.epoch * 1000, letters: name.letters };
  },
  collectionAt(directory) {
    if (!directory.endsWith(MARK)) return undefined;
    const path = directory.slice(0, -MARK.length);
    return folderOf(path) && path;
  },
};

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
