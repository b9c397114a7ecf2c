import type { Reach, RemoteShell } from "@backup/core";
import { runCommand } from "./remote-command.js";
import { readSums } from "./remote-sums.js";

/** What an entry of a directory at a host is. */
export interface RemoteEntry {
  readonly type: "file" | "dir" | "link" | "other";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Of a link, each byte a character. */
  readonly target?: string | undefined;
}

export interface EntriesQuery {
  readonly reach: Reach & { readonly shell: RemoteShell };
  /** Below that directory, each byte a character. */
  readonly paths: readonly string[];
}

/** stat(1) of GNU and busybox. The names come on its input, so that no shell reads them. */
const STAT = "xargs -0 stat -c '%f %s %Y %y/%n' --";
/** What comes before a name. */
const STATED = /([0-9a-f]+) (\d+) (-?\d+) [\d-]+ [\d:]+(?:\.(\d{1,9}))?(?: [+-]\d{4})?\//y;
const READLINK = `xargs -0 sh -c 'for f; do readlink -- "$f"; printf "\\0"; done' sh`;
const SUMS = "xargs -0 sha256sum --";

const TYPES: Readonly<Record<number, RemoteEntry["type"]>> = { 0o100000: "file", 0o040000: "dir", 0o120000: "link" };

/** What entries at a host are. What cannot be had is left out, all of it where the account has no such command. */
export async function remoteEntries(
  query: EntriesQuery,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, RemoteEntry>> {
  const { paths } = query;
  const text = await outputOf(STAT, query, signal);
  const found = new Map<string, RemoteEntry>();
  let at = 0;
  // In their order: a name may hold what looks like the line of another one.
  for (const path of paths) {
    STATED.lastIndex = at;
    const [head, mode = "", size, seconds = "0", fraction = ""] = STATED.exec(text) ?? [];
    const line = head === undefined ? "" : `${head}${nameOf(query, path)}\n`;
    if (line === "" || !text.startsWith(line, at)) continue;
    at += line.length;
    const bits = Number.parseInt(mode, 16);
    const type = TYPES[bits & 0o170000] ?? "other";
    const mtime = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
    found.set(path, { type, mode: bits & 0o7777, size: type === "file" ? Number(size) : 0, mtime });
  }
  const links = [...found].flatMap(([path, { type }]) => (type === "link" ? [path] : []));
  const targets = (await outputOf(READLINK, { ...query, paths: links }, signal)).split("\0");
  for (const [index, path] of links.entries()) {
    const entry = found.get(path);
    if (entry) found.set(path, { ...entry, target: targets[index]?.replace(/\n$/, "") });
  }
  return found;
}

/** SHA-256 of files at a host, made there. What cannot be had is left out, all of it where the account has no sha256sum(1). */
export async function remoteDigests(query: EntriesQuery, signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>> {
  const sums = readSums(await outputOf(SUMS, query, signal));
  return new Map(
    query.paths.flatMap((path) => {
      const sum = sums.get(nameOf(query, path));
      return sum ? [[path, sum]] : [];
    }),
  );
}

async function outputOf(command: string, query: EntriesQuery, signal: AbortSignal): Promise<string> {
  if (query.paths.length === 0) return "";
  const input = Buffer.from(query.paths.map((path) => `${nameOf(query, path)}\0`).join(""), "latin1");
  const { stdout } = await runCommand(query.reach.shell, { command, input }, signal);
  return stdout.toString("latin1");
}

function nameOf({ reach: { directory } }: EntriesQuery, path: string): string {
  return `${Buffer.from(directory === "" ? "." : directory).toString("latin1")}/${path}`;
}
