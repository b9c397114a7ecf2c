import { type Token, quote, tokenize, word, words } from "./command.js";
import type { Folder } from "./model.js";
import { type Answer, OK, type Row, type Session, bad, no } from "./session.js";

/** LIST (RFC 3501, with RETURN of RFC 5258 and 5819) and LSUB: everything is subscribed. */
export function* list(session: Session, name: string, args: string): Answer {
  const { server } = session;
  const [reference, pattern, ret, options] = tokenize(args);
  const { prefix, delimiter } = server.options.namespace ?? { prefix: "", delimiter: "/" };
  const returns: Token[] = Array.isArray(options) ? options : [];
  if (ret !== undefined && !server.capabilities.some((each) => /^LIST-(EXTENDED|STATUS)$/.test(each))) {
    return bad("unexpected RETURN");
  }
  if (word(pattern) === "") {
    yield [`* ${name} (\\Noselect) ${nstring(delimiter)} ${quote(prefix)}`];
    return OK;
  }
  const statusItems = returns[returns.findIndex((each) => each === "STATUS") + 1];
  for (const [path, folder] of server.folders) {
    if (!matches(path, word(reference) + word(pattern), folder.delimiter)) continue;
    const attributes = returns.includes("SUBSCRIBED") ? [...folder.attributes, "\\Subscribed"] : folder.attributes;
    yield [`* ${name} (${attributes.join(" ")}) ${nstring(folder.delimiter)} `, ...nameParts(path, folder)];
    if (Array.isArray(statusItems) && !attributes.some((each) => /^\\(Noselect|NonExistent)$/i.test(each))) {
      yield statusRow(path, folder, words(statusItems));
    }
  }
  return OK;
}

export function* status({ server }: Session, args: string): Answer {
  const [name, items] = tokenize(args);
  const path = folderName(server.folders, word(name));
  const folder = path === undefined ? undefined : server.folders.get(path);
  if (path === undefined || !folder) return no("[NONEXISTENT] no such mailbox");
  yield statusRow(path, folder, words(items));
  return OK;
}

/** The folder that a client means: INBOX in any case. */
export function folderName(folders: Map<string, Folder>, name: string): string | undefined {
  if (folders.has(name)) return name;
  return name.toUpperCase() === "INBOX"
    ? [...folders.keys()].find((each) => each.toUpperCase() === "INBOX")
    : undefined;
}

function statusRow(path: string, folder: Folder, items: readonly string[]): Row {
  const truth: Record<string, number | bigint> = {
    MESSAGES: folder.messages.length,
    RECENT: 0,
    UIDNEXT: folder.uidnext,
    UIDVALIDITY: folder.uidvalidity,
    UNSEEN: folder.messages.filter(({ flags }) => !flags.includes("\\Seen")).length,
    HIGHESTMODSEQ: folder.highestmodseq ?? 0,
    ...folder.status,
  };
  const values = items.map((item) => item.toUpperCase()).flatMap((item) => `${item} ${truth[item] ?? 0}`);
  return ["* STATUS ", ...nameParts(path, folder), ` (${values.join(" ")})`];
}

function nameParts(name: string, { nameAs }: Folder): Exclude<Row, { type: string }> {
  const way = nameAs ?? (/^[\x20-\x7e]*$/.test(name) ? "quoted" : "literal");
  if (way === "atom") return [name];
  if (way === "quoted") return [quote(name)];
  return [{ bytes: Buffer.from(name, "latin1") }];
}

function nstring(text: string | null): string {
  return text === null ? "NIL" : quote(text);
}

function matches(name: string, pattern: string, delimiter: string | null): boolean {
  if (pattern === "*") return true;
  const level = delimiter === null ? "[^]*" : `[^${escapeRegExp(delimiter)}]*`;
  const source = escapeRegExp(pattern).replace(/\\\*|%/g, (wildcard) => (wildcard === "%" ? level : "[^]*"));
  return new RegExp(`^${source}$`, /^inbox$/i.test(name) ? "i" : "").test(name);
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
