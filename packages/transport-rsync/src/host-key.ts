import { createHash } from "node:crypto";
import { BackupError } from "@backup/core";

/** Public key of a host, as SSH sends it (RFC 4253 section 6.6). */
export type KeyBlob = Uint8Array;

/** `SHA256:` and base64 with no padding, as ssh-keygen(1) prints it. */
export function fingerprintOf(key: KeyBlob): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** `ssh-ed25519`: the string that the key begins with. */
export function keyTypeOf(key: KeyBlob): string {
  const bytes = Buffer.from(key);
  if (bytes.length < 4) return "unknown";
  return bytes.toString("latin1", 4, 4 + bytes.readUInt32BE(0)).replace(/[^\w.@-]/g, "?");
}

/** `ssh-ed25519 SHA256:…` */
export function describeKey(key: KeyBlob): string {
  return `${keyTypeOf(key)} ${fingerprintOf(key)}`;
}

/** @throws BackupError USAGE */
export function checkFingerprint(text: string): void {
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(text)) return;
  throw new BackupError(
    "USAGE",
    `'${text}' is no fingerprint of a host key; ` +
      "give SHA256:… as `ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub` prints it on the host",
  );
}

/** @param presented, pinned for a person: type, fingerprint and, of the pinned, where it is written */
export function hostKeyChanged(host: string, presented: string, pinned: string, cause?: unknown): BackupError {
  return new BackupError(
    "HOST_KEY_CHANGED",
    `the key of ${host} is not the expected one: it presents ${presented}, expected is ${pinned}. ` +
      "Nothing was sent. Someone may be in between, or the host was installed anew: ask who runs it, " +
      "and only if the new key is the host's, remove the old one and run again",
    { cause },
  );
}

export function hostKeyUnknown(host: string, presented: string, problem: string, cause?: unknown): BackupError {
  return new BackupError(
    "HOST_KEY_UNKNOWN",
    `the key of ${host} is not known: it presents ${presented}, and ${problem}. ` +
      "Compare it with the host's (`ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub` there), " +
      "then name it with --host-key-fingerprint, or name a known_hosts file that can be written",
    { cause },
  );
}
