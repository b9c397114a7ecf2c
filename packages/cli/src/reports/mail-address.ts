import { BackupError } from "@backup/core";

export interface MailAddress {
  /** Of the person; empty when it is not given. */
  readonly name: string;
  readonly address: string;
}

/** Neither what separates addresses nor what would end a header or a command of SMTP. */
const ADDRESS = /^(?:([^<>\p{Cc}]*)<)?([^\s<>@,;:"()[\]\\\p{Cc}]+@[^\s<>@,;:"()\\\p{Cc}]+)(>?)$/u;

/** Reads `you@example.org` or `You <you@example.org>`; `setting` is what the text was given as. @throws BackupError USAGE */
export function parseMailAddress(text: string, setting: string): MailAddress {
  const [, name, address, bracket] = ADDRESS.exec(text.trim()) ?? [];
  if (address === undefined || (name === undefined) !== (bracket === ""))
    throw new BackupError("USAGE", `${setting} takes mail addresses, as you@example.org; '${text}' is none`);
  return { name: name?.trim().replace(/^"(.*)"$/, "$1") ?? "", address };
}
