import type { FolderName } from "./folder-names.js";
import type { Namespace } from "./namespaces.js";

export interface TargetName {
  /** For CREATE and SELECT. */
  readonly mailbox: string;
  /** The name holds what the target cannot, which is replaced. */
  readonly isChanged: boolean;
}

export interface NamingOptions {
  /** Every folder is put below this one. */
  readonly below: FolderName;
  /** Names of the folders that the target has. */
  readonly existing: readonly string[];
}

/** Stands for a character that the target cannot have in a name. */
const INSTEAD = "_";

/**
 * What each folder is called at a target, in the same order and never two alike: its parts with the target's delimiter,
 * below the prefix of its personal namespace (RFC 2342). INBOX is INBOX.
 */
export function targetNames(
  folders: readonly FolderName[],
  { prefix, delimiter }: Pick<Namespace, "prefix" | "delimiter">,
  { below, existing }: NamingOptions,
): readonly TargetName[] {
  const bare = withoutInbox(folders, { prefix, delimiter, existing });
  const prefixParts = delimiter === null ? [] : prefix.split(delimiter).filter((part) => part !== "");
  const names = bare.map((folder) => {
    const whole = [...below, ...folder];
    if (whole.length === 1 && whole[0] === "INBOX") return { mailbox: "INBOX", isChanged: false };
    const inner = startsWith(whole, prefixParts) ? whole.slice(prefixParts.length) : whole;
    const parts = inner.map((part) => plainPart(part, delimiter));
    const joined = parts.join(delimiter ?? INSTEAD);
    const isChanged = parts.some((part, index) => part !== inner[index]) || (delimiter === null && parts.length > 1);
    return { mailbox: prefix + joined, isChanged };
  });
  const inbox = names[folders.findIndex((folder) => folder.length === 1 && folder[0] === "INBOX")];
  return unique(names, { inbox, delimiter });
}

/**
 * A server whose personal folders are all below INBOX (Courier) has it as a prefix, which is no part of the names. Not
 * where the target has such folders itself.
 */
function withoutInbox(
  folders: readonly FolderName[],
  { prefix, delimiter, existing }: Pick<Namespace, "prefix" | "delimiter"> & Pick<NamingOptions, "existing">,
): readonly FolderName[] {
  const others = folders.filter((folder) => folder.length > 1 || folder[0] !== "INBOX");
  const isPrefix = others.length > 0 && others.every(([first]) => first === "INBOX");
  const hasThem = delimiter !== null && existing.some((name) => name.toUpperCase().startsWith(`INBOX${delimiter}`));
  if (!isPrefix || prefix !== "" || hasThem) return folders;
  return folders.map((folder) => (folder.length > 1 ? folder.slice(1) : folder));
}

function startsWith(folder: FolderName, parts: readonly string[]): boolean {
  return folder.length > parts.length && parts.every((part, index) => part === folder[index]);
}

/** Control characters are in no name that a command can hold. */
function plainPart(part: string, delimiter: string | null): string {
  const plain = part.replace(/[\p{Cc}\p{Surrogate}]/gu, INSTEAD);
  return (delimiter === null ? plain : plain.replaceAll(delimiter, INSTEAD)) || INSTEAD;
}

/**
 * A name is made longer until no other folder has it. The first one keeps it that was not changed, of all of them INBOX:
 * with the prefix `INBOX.`, `A` and `INBOX/A` are alike.
 */
function unique(
  names: readonly TargetName[],
  { inbox, delimiter }: { readonly inbox: TargetName | undefined; readonly delimiter: string | null },
): readonly TargetName[] {
  const keepers = new Map<string, TargetName>();
  for (const name of inbox ? [inbox, ...names] : names) {
    const key = comparable(name.mailbox, delimiter);
    if (!name.isChanged && !keepers.has(key)) keepers.set(key, name);
  }
  const kept = new Set(keepers.values());
  const taken = new Set(keepers.keys());
  return names.map((name) => {
    if (kept.has(name)) return name;
    let free = name.mailbox;
    while (taken.has(comparable(free, delimiter))) free += INSTEAD;
    taken.add(comparable(free, delimiter));
    return { mailbox: free, isChanged: true };
  });
}

/** INBOX is the same in any case (RFC 9051, 5.1), and to many servers also as the first part of a name. */
function comparable(mailbox: string, delimiter: string | null): string {
  const first = delimiter === null ? mailbox : (mailbox.split(delimiter, 1)[0] ?? "");
  return /^inbox$/i.test(first) ? `INBOX${mailbox.slice(first.length)}` : mailbox;
}

/** A name for a server that refused this one: without what some servers forbid. Undefined: there is nothing like that in it. */
export function tamerName(mailbox: string, delimiter: string | null): string | undefined {
  const parts = delimiter === null ? [mailbox] : mailbox.split(delimiter);
  const tame = parts.map((part) => part.replace(/^[~#&-]|[./\\*%]/g, INSTEAD));
  const name = tame.join(delimiter ?? "");
  return name === mailbox ? undefined : name;
}
