import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export interface OracleLogin {
  readonly host: string;
  /** A port with TLS from the start. */
  readonly port: number;
  readonly caFile: string;
  readonly user: string;
  readonly password: string;
}

/** What is in an account, read by a client that is not ours. */
export interface Account {
  /** Without those that cannot be selected, in the server's order. */
  readonly folders: readonly AccountFolder[];
}

export interface AccountFolder {
  /** As the server sends it: modified UTF-7, each byte one character. */
  readonly raw: string;
  /** Decoded. */
  readonly name: string;
  readonly delimiter: string | null;
  readonly uidvalidity: number;
  /** Ascending UIDs. */
  readonly messages: readonly AccountMessage[];
}

export interface AccountMessage {
  readonly uid: number;
  /** Hexadecimal, of the bytes. */
  readonly sha256: string;
  /** Bytes that came, whatever RFC822.SIZE says. */
  readonly size: number;
  /** Flags and keywords without \Recent, sorted. */
  readonly flags: readonly string[];
  /** INTERNALDATE, seconds since 1970. */
  readonly date: number;
}

const SCRIPT = fileURLToPath(new URL("oracle.py", import.meta.url));

/** Reads the whole account; read-only. Nothing of ours is involved: Python's imaplib and hashlib. */
export async function readAccount(login: OracleLogin): Promise<Account> {
  const child = spawn("python3", [SCRIPT], { stdio: "pipe" });
  const closed = once(child, "close");
  const complaint = text(child.stderr);
  // A child that dies early makes the pipe break; its exit code says more.
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify(login));

  const folders: { folder: Omit<AccountFolder, "messages">; messages: AccountMessage[] }[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const row = JSON.parse(line) as { folder: Omit<AccountFolder, "messages"> } | { message: AccountMessage };
    if ("folder" in row) folders.push({ folder: row.folder, messages: [] });
    else folders.at(-1)?.messages.push(row.message);
  }
  const [code] = (await closed) as [number | null];
  if (code !== 0) throw new Error(`oracle ended with ${code}: ${await complaint}`);
  return {
    folders: folders.map(({ folder, messages }) => ({
      ...folder,
      messages: messages.toSorted((a, b) => a.uid - b.uid),
    })),
  };
}

/** The folder of that (decoded) name. */
export function folderOf(account: Account, name: string): AccountFolder {
  const folder = account.folders.find((candidate) => candidate.name === name);
  if (folder === undefined) throw new Error(`no folder ${name}: ${account.folders.map((f) => f.name).join(", ")}`);
  return folder;
}
