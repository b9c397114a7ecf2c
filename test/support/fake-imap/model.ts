import type { Certificate } from "../certificate.js";

/**
 * What the fake server holds and how it misbehaves. Strings that go on the wire hold one byte per character
 * (latin1): `Buffer.from("é").toString("latin1")` writes UTF-8.
 */

/** Bytes of a message: a Buffer, or something that makes them when asked, so that memory stays low. */
export interface Bytes {
  readonly length: number;
  subarray(start: number, end: number): Uint8Array;
}

export interface Message {
  uid: number;
  /** As they go on the wire: `"\\Seen"`, `"$Junk"`, `'"a quoted one"'`. */
  flags: string[];
  /** A string goes on the wire inside quotes as it is; null is NIL; undefined leaves the item out of the row. */
  internaldate: Date | string | null | undefined;
  bytes: Bytes;
  /** What RFC822.SIZE says; the truth by default. */
  size?: number;
  /** Default 1. */
  modseq?: number | bigint;
  /** EMAILID (RFC 8474) and X-GM-MSGID. */
  emailid?: string;
  /** What goes wrong with this message, all of it. */
  odd?: Oddity[];
}

export interface Folder {
  delimiter: string | null;
  attributes: string[];
  uidvalidity: number;
  uidnext: number;
  /** Undefined: NOMODSEQ. */
  highestmodseq?: number | bigint;
  /** The position is the sequence number; rows come in this order. */
  messages: Message[];
  /** Default: quoted where that is legal, otherwise a literal. The other ways write the name as it is. */
  nameAs?: "quoted" | "literal" | "atom";
  /** STATUS items that differ from the truth, as `{ MESSAGES: 0 }`. */
  status?: Record<string, number | bigint>;
}

/** The end of an answer, in place of the tagged OK. */
export type Ending =
  /** The connection goes without a word. */
  | { readonly type: "cut" }
  | { readonly type: "bye"; readonly text: string }
  | { readonly type: "no"; readonly text: string }
  | { readonly type: "bad"; readonly text: string }
  /** The connection stays open and silent. */
  | { readonly type: "stall" };

/** What goes wrong with one message. As an ending: the rows before it are delivered, then this. */
export type Oddity = (
  | Ending
  /** No row: a silent gap. */
  | { readonly type: "omit" }
  /** A row that no parser takes. */
  | { readonly type: "garbage" }
  /** `BODY[] NIL`. */
  | { readonly type: "nil" }
  /** All of it, as `BODY[]`, whatever part is asked for. */
  | { readonly type: "whole" }
  /** Before its own row, one of a UID that nobody asked for. */
  | { readonly type: "unasked"; readonly uid: number; readonly bytes?: Bytes }
  /** Its row, then its row again, with other bytes if given. */
  | { readonly type: "twice"; readonly bytes?: Bytes }
  /** The literal's announced size is not that of what follows: exactly `size`, or `more` (less, if negative) than sent. */
  | { readonly type: "announce"; readonly size: number }
  | { readonly type: "announce"; readonly more: number }
) & {
  /** Default `body`: when a BODY item is asked. `listing`: when none is. */
  readonly on?: "body" | "listing" | "any";
  /** Only the first so many times. */
  readonly times?: number;
};

/** What goes wrong with one command. An ending comes after `rows` untagged lines of the answer, default 0. */
export type Fault =
  | (Ending & { readonly rows?: number })
  /** Cuts the connection after so many bytes of this answer's literals. */
  | { readonly type: "cut-in-literal"; readonly afterBytes: number }
  /** Row number `row` of the answer, from 0, default 1, is replaced by one that no parser takes. */
  | { readonly type: "garbage-row"; readonly row?: number }
  /** These lines, without CRLF, come before an otherwise right answer. */
  | { readonly type: "untagged"; readonly lines: readonly string[] };

export interface FaultContext {
  /** Upper case; `UID FETCH` is one command. `GREETING` is asked for before anything is sent. */
  readonly command: string;
  readonly tag: string;
  /** The rest of the line; literals are written as quoted strings. */
  readonly args: string;
  /** The folder that the command names, or the selected one. */
  readonly folder: string | undefined;
  /** From 1, in the order of connecting. */
  readonly connection: number;
  /** How often this command came since the script was set, over all connections; from 1. */
  readonly count: number;
  /** The line that the client sends next, which it must do without an answer to this command. */
  upcoming(): Promise<string>;
}

/** Asked before each command is answered. It may change the folders, and may wait. */
export type FaultScript = (context: FaultContext) => Fault | undefined | Promise<Fault | undefined>;

export interface Namespace {
  readonly prefix: string;
  readonly delimiter: string | null;
}

export interface FakeImapOptions {
  /** Key: the name as it goes on the wire. Default: an empty INBOX. */
  readonly folders?: Map<string, Folder>;
  /** Default DEFAULT_CAPABILITIES. STARTTLS is added by itself. */
  readonly capabilities?: readonly string[];
  /** Offered on the plain port; default true. */
  readonly starttls?: boolean;
  /** Default alice. */
  readonly user?: string;
  /** Default secret. */
  readonly password?: string;
  readonly namespace?: Namespace;
  /** Default: one for localhost and 127.0.0.1. */
  readonly certificate?: Certificate;
  readonly fault?: FaultScript;
}

/** The server. What is not readonly may be changed at any time and counts from the next command on. */
export interface FakeImap extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly tlsPort: number;
  readonly plainPort: number;
  /** PEM file to trust. */
  readonly caFile: string;
  /** The same as text. */
  readonly ca: string;
  /** Every command received, without its tag, in order: `UID FETCH 1:* (UID FLAGS)`. Empty it at will. */
  readonly commands: string[];
  /** Accepted since the start; on the TLS port: with the handshake done. */
  readonly connections: number;
  readonly openConnections: number;
  folders: Map<string, Folder>;
  capabilities: readonly string[];
  /** Setting it starts `count` anew. */
  fault: FaultScript | undefined;
}
