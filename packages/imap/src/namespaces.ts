import { BackupError } from "@backup/core";
import type { ImapFlow } from "imapflow";
import type { FolderName } from "./folder-names.js";

/** Kinds of namespaces that are listed only when asked for: of other users, and shared by all (RFC 2342, section 5). */
const FOREIGN = ["other", "shared"] as const;
export type Foreign = (typeof FOREIGN)[number];

/** A part of what the server has. */
export interface Namespace {
  readonly kind: "personal" | Foreign;
  /** As the server names it, `Public/`. */
  readonly prefix: string;
  readonly delimiter: string | null;
}

/**
 * What the server has.
 * @throws BackupError PROTOCOL when it did not tell
 */
export function namespacesOf({ namespaces }: ImapFlow): readonly Namespace[] {
  if (!namespaces)
    throw new BackupError("PROTOCOL", "the server does not tell its namespaces now; run again", { transient: true });
  return (["personal", ...FOREIGN] as const).flatMap((kind) => {
    return (namespaces[kind] || []).map(({ prefix, delimiter }) => ({ kind, prefix, delimiter: delimiter || null }));
  });
}

/** Whose a folder is: of the namespace with the longest prefix that it has. INBOX is personal. */
export function kindOf(folder: FolderName, namespaces: readonly Namespace[]): Namespace["kind"] {
  const name = `${folder.join("/")}/`;
  if (name === "INBOX/") return "personal";
  const fitting = namespaces.filter((namespace) => name.startsWith(beginning(namespace)));
  return fitting.toSorted((a, b) => b.prefix.length - a.prefix.length)[0]?.kind ?? "personal";
}

/** A prefix with `/` between its parts. */
function beginning({ prefix, delimiter }: Namespace): string {
  return delimiter ? prefix.split(delimiter).join("/") : prefix;
}
