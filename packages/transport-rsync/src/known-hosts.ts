import { createHmac } from "node:crypto";
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "@backup/core";
import { type KeyBlob, describeKey } from "./host-key.js";

/** A key that a known_hosts file has for a host. */
export interface PinnedKey {
  readonly key: KeyBlob;
  readonly type: string;
  readonly revoked: boolean;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** What known_hosts files call a host: `[host]:port` where the port is not 22. */
export function knownName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** All keys that these files have for this name, revoked ones too; certificate authorities are left out. sshd(8). */
export async function pinnedKeys(files: readonly string[], name: string): Promise<readonly PinnedKey[]> {
  const found = await Promise.all(files.map(async (file) => parseKnownHosts(await readText(file), name, file)));
  return found.flat();
}

export function parseKnownHosts(text: string, name: string, file: string): readonly PinnedKey[] {
  return text.split("\n").flatMap((content, index) => {
    const fields = content.trim().split(/[ \t]+/);
    const marker = fields[0]?.startsWith("@") ? fields.shift() : undefined;
    const [hosts = "", type = "", base64 = ""] = fields;
    if (hosts.startsWith("#") || base64 === "" || !matches(hosts, name)) return [];
    if (marker !== undefined && marker !== "@revoked") return [];
    const revoked = marker !== undefined;
    return [{ key: Buffer.from(base64, "base64"), type, revoked, file, line: index + 1 }];
  });
}

/** The key on this line, whatever its host; undefined: none. */
export async function pinnedOnLine(file: string, line: number): Promise<PinnedKey | undefined> {
  const content = (await readText(file)).split("\n")[line - 1] ?? "";
  const [, type, base64] = /((?:ssh|ecdsa|sk)-\S+)\s+(\S+)/.exec(content) ?? [];
  if (type === undefined || base64 === undefined) return undefined;
  return { key: Buffer.from(base64, "base64"), type, revoked: content.startsWith("@revoked"), file, line };
}

/** `ssh-ed25519 SHA256:… (FILE line 3)`, for messages. */
export function describePinned(pinned: readonly PinnedKey[]): string {
  return pinned.map(({ key, file, line }) => `${describeKey(key)} (${file} line ${line})`).join(" or ");
}

/**
 * Appends a line, in one write; what the file has stays as it is. Makes the file, 0600, and its directory, 0700.
 * @throws the system's error
 */
export async function appendKnownHost(file: string, name: string, key: KeyBlob, type: string): Promise<void> {
  await using handle = await openToAppend(file);
  const start = (await endsLine(handle)) ? "" : "\n";
  await handle.appendFile(`${start}${name} ${type} ${Buffer.from(key).toString("base64")}\n`);
  // A device has nothing to sync.
  if ((await handle.stat()).isFile()) await handle.sync();
}

/**
 * Lets another program append lines: makes the file and its directory if they are missing, and ends the last line.
 * @throws the system's error, where it cannot be written
 */
export async function prepareToAppend(file: string): Promise<void> {
  await using handle = await openToAppend(file);
  if (!(await endsLine(handle))) await handle.appendFile("\n");
}

async function openToAppend(file: string): Promise<FileHandle> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return open(file, "a+", 0o600);
}

async function endsLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return true;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString() === "\n";
}

function matches(hosts: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(hosts);
  if (hashed) {
    const [, salt = "", hash] = hashed;
    return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
  }
  const patterns = hosts.toLowerCase().split(",");
  const any = (list: readonly string[]): boolean => list.some((pattern) => globOf(pattern).test(name));
  const negated = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  return any(patterns.filter((pattern) => !pattern.startsWith("!"))) && !any(negated);
}

/** `*` and `?` alone are special. */
function globOf(pattern: string): RegExp {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${source.replace(/\*+/g, ".*").replace(/\?/g, ".")}$`, "s");
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return "";
    throw error;
  }
}
