import { createHash } from "node:crypto";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Account } from "./oracle.js";

/** A message as a finished backup holds it. */
export interface TreeMessage {
  readonly uid: number;
  readonly sha256: string;
  readonly size: number;
  /** Flags and keywords, sorted. */
  readonly flags: readonly string[];
  /** Seconds since 1970: of the name and of the file, which must agree. */
  readonly date: number;
}

export interface TreeFolder {
  /** Directory below the destination. */
  readonly directory: string;
  readonly uidvalidities: readonly number[];
  /** Ascending UIDs. */
  readonly messages: readonly TreeMessage[];
}

const FLAGS: Readonly<Record<string, string>> = {
  D: "\\Draft",
  F: "\\Flagged",
  R: "\\Answered",
  S: "\\Seen",
  T: "\\Deleted",
};
const NAME = /^(n?)(\d+)\.V(\d+)U(\d+)D([a-z2-7]{26})\.backup,S=(\d+)[:;]2,([A-Za-z]*)$/;

/**
 * Reads a backup by docs/format.md alone, without a line of the program's code. Anything in `cur` that is not in the
 * format, a wrong size, digest or time, and a leftover in a `tmp` are errors.
 */
export async function readTree(root: string): Promise<readonly TreeFolder[]> {
  const folders: TreeFolder[] = [];
  const visit = async (directory: string): Promise<void> => {
    const entries = await readdir(join(root, directory), { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    if (names.includes("cur")) folders.push(await readFolder(root, directory));
    for (const name of names) if (!["cur", "new", "tmp", ".backup"].includes(name)) await visit(join(directory, name));
  };
  await visit("");
  const left = await readdir(join(root, ".backup/tmp")).catch(() => []);
  if (left.length > 0) throw new Error(`leftovers in .backup/tmp: ${left.join(", ")}`);
  return folders.toSorted((a, b) => (a.directory < b.directory ? -1 : 1));
}

async function readFolder(root: string, directory: string): Promise<TreeFolder> {
  const at = join(root, directory);
  for (const empty of ["new", "tmp"]) {
    const found = await readdir(join(at, empty));
    if (found.length > 0) throw new Error(`${directory}/${empty} holds ${found.join(", ")}`);
  }
  const letters = await table(join(at, "dovecot-keywords"));
  const more = await moreKeywords(join(at, "backup-keywords"));
  const uidvalidities = new Set<number>();
  const messages: TreeMessage[] = [];
  for (const name of await readdir(join(at, "cur"))) {
    const [, negative, epoch, uidvalidity, uid, digest, size, flags] = NAME.exec(name) ?? [];
    if (flags === undefined) throw new Error(`${directory}/cur holds ${name}`);
    const bytes = await readFile(join(at, "cur", name));
    const date = Number(epoch) * (negative ? -1 : 1);
    const { mtimeMs, mode } = await stat(join(at, "cur", name));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (Math.floor(mtimeMs / 1000) !== date) throw new Error(`${name} has the time ${mtimeMs / 1000}`);
    if (bytes.length !== Number(size)) throw new Error(`${name} has ${bytes.length} bytes`);
    if (fromBase32(digest ?? "") !== sha256.slice(0, 32)) throw new Error(`${name} has the digest ${sha256}`);
    if ((mode & 0o777) !== 0o600) throw new Error(`${name} has the mode ${mode.toString(8)}`);
    uidvalidities.add(Number(uidvalidity));
    const named = Array.from(flags, (letter) => FLAGS[letter] ?? letters[letter.charCodeAt(0) - 97] ?? `?${letter}`);
    const all = [...named, ...(more.get(`V${uidvalidity}U${uid}`) ?? [])].toSorted();
    messages.push({ uid: Number(uid), sha256, size: bytes.length, flags: all, date });
  }
  return {
    directory,
    uidvalidities: [...uidvalidities],
    messages: messages.toSorted((a, b) => a.uid - b.uid),
  };
}

async function table(file: string): Promise<readonly (string | undefined)[]> {
  const names: (string | undefined)[] = [];
  for (const line of (await readFile(file, "utf8").catch(() => "")).split("\n")) {
    const [number, name] = line.split(" ");
    if (name !== undefined) names[Number(number)] = name;
  }
  return names;
}

async function moreKeywords(file: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const text = await readFile(file, "utf8").catch(() => "");
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" "))
      .map(([id = "", ...keywords]) => [id, keywords.map((keyword) => decodeURI(keyword))]),
  );
}

function fromBase32(text: string): string {
  const bits = Array.from(text, (letter) =>
    "abcdefghijklmnopqrstuvwxyz234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  const bytes = bits.join("").slice(0, 128).match(/.{8}/g) ?? [];
  return bytes.map((byte) => Number.parseInt(byte, 2).toString(16).padStart(2, "0")).join("");
}

/** What a backup of this account must be, for names that need no escape and `readTree`'s order. */
export function expectedTree(account: Account): readonly TreeFolder[] {
  return account.folders
    .map(({ name, delimiter, uidvalidity, messages }) => ({
      directory: delimiter === null ? name : name.split(delimiter).join("/"),
      uidvalidities: messages.length > 0 ? [uidvalidity] : [],
      messages: messages.map(({ uid, sha256, size, flags, date }) => ({
        uid,
        sha256,
        size,
        flags: flags.toSorted(),
        date,
      })),
    }))
    .toSorted((a, b) => (a.directory < b.directory ? -1 : 1));
}
