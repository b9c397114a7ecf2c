import type { Wire } from "./wire.js";

export type Token = string | Token[];

export interface Command {
  readonly tag: string;
  /** Upper case; `UID FETCH` is one command. */
  readonly name: string;
  /** The rest of the line; literals are written as quoted strings. */
  readonly args: string;
}

/** The next command with all its literals (RFC 3501 section 4.3, RFC 7888), asking for each that wants to be asked for. */
export async function readCommand(wire: Wire): Promise<Command> {
  let text = "";
  for (;;) {
    text += await wire.line();
    const literal = /\{(\d+)(\+?)\}$/.exec(text);
    if (!literal) break;
    if (literal[2] === "") {
      await wire.write("+ go on\r\n");
      await wire.flush();
    }
    text = text.slice(0, literal.index) + quote(await wire.exactly(Number(literal[1])));
  }
  const [, tag = "*", name = "", args = ""] = /^(\S+) ((?:UID )?\S+)(?: (.*))?$/is.exec(text) ?? [];
  return { tag, name: name.toUpperCase(), args };
}

export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** Strings as they are, lists as arrays. A section with its list, `BODY[HEADER.FIELDS (DATE)]<0.9>`, is one atom. */
export function tokenize(text: string): Token[] {
  const lists: Token[][] = [[]];
  const pattern = /"((?:[^"\\]|\\.)*)"|(\()|(\))|((?:\[[^\]]*\]|[^\s()"[])+)/gs;
  for (const [, quoted, open, close, atom] of text.matchAll(pattern)) {
    if (open) lists.push([]);
    else if (close && lists.length > 1) lists.at(-2)?.push(lists.pop() ?? []);
    else if (quoted !== undefined) lists.at(-1)?.push(quoted.replace(/\\(.)/gs, "$1"));
    else if (atom !== undefined) lists.at(-1)?.push(atom);
  }
  return lists[0] ?? [];
}

export function word(token: Token | undefined): string {
  return typeof token === "string" ? token : "";
}

export function words(token: Token | undefined): string[] {
  return (Array.isArray(token) ? token : [token]).map(word).filter((text) => text !== "");
}
