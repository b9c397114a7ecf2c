import type { Content, Known, Path, Stored } from "@backup/core";

/** What a message's file name says. */
export interface MessageName {
  readonly uidValidity: bigint;
  /** 1 to 4294967295. */
  readonly uid: number;
  /** INTERNALDATE, seconds since 1970. */
  readonly epoch: number;
  /** Maildir flags and Dovecot's keyword letters, each once, in ASCII order. */
  readonly letters: string;
}

/** Always the same word where a Maildir name has a host: a host's name would change with every container. */
const HOST = "backup";
const NAME =
  /^(n?)(\d{1,15})\.V(\d{1,20})U(\d{1,10})D([a-z2-7]{26})\.[^,:;/]+,S=(\d{1,15})(?:,[A-Z]=\d+)*[:;]2,([A-Za-z]*)$/;
const WHOLE = "whole";

/** `<epoch>.V<uidvalidity>U<uid>D<digest>.backup,S=<bytes>:2,<flags>`; see docs/format.md. */
export function messageFileName(
  { uidValidity, uid, epoch, letters }: MessageName,
  { digest, size }: Content,
  { colon }: { readonly colon: boolean },
): string {
  const time = epoch < 0 ? `n${-epoch}` : String(epoch);
  return `${time}.V${uidValidity}U${uid}D${digest}.${HOST},S=${size}${colon ? ":" : ";"}2,${letters}`;
}

/** Identity of a message within its folder: RFC 3501, section 2.3.1.1. */
export function messageId(uidValidity: bigint, uid: number): string {
  return `V${uidValidity}U${uid}`;
}

/** The revision of a message: it has one alone (a UID's bytes never change). */
export const MESSAGE_REV = WHOLE;

/** What a stored message's name says; undefined: it is none. */
export function readMessageName(path: Path): MessageName | undefined {
  const match = NAME.exec(path.slice(path.lastIndexOf("/") + 1));
  if (!match) return undefined;
  const [, before1970, seconds, uidValidity = "", uid, , , letters = ""] = match;
  const epoch = epochOf(before1970, seconds);
  return { uidValidity: BigInt(uidValidity), uid: Number(uid), epoch, letters };
}

function epochOf(before1970: string | undefined, seconds: string | undefined): number {
  return before1970 ? -Number(seconds) : Number(seconds);
}

/** What a file in `cur` is; one that is shorter or longer than its name says is another revision, to be replaced. */
export function identifyMessage({ path, size }: Stored): Omit<Known, "file"> | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const [, before1970, seconds, uidValidity, uid, digest, bytes] = NAME.exec(name) ?? [];
  if (uidValidity === undefined || uid === undefined || digest === undefined || bytes === undefined) return undefined;
  const id = messageId(BigInt(uidValidity), Number(uid));
  return {
    identity: { id, rev: size === Number(bytes) ? WHOLE : `${size} bytes instead of ${bytes}` },
    content: { digest, size: Number(bytes) },
    mtime: epochOf(before1970, seconds) * 1000,
  };
}

export function messagePath(collection: Path, name: string): Path {
  return `${collection}/cur/${name}`;
}
