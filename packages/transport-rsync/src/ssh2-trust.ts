import { timingSafeEqual } from "node:crypto";
import { BackupError, type EventSink } from "@backup/core";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { type KeyBlob, describeKey, fingerprintOf, hostKeyChanged, hostKeyUnknown, keyTypeOf } from "./host-key.js";
import { type PinnedKey, appendKnownHost, describePinned } from "./known-hosts.js";
import { announcePin } from "./host-key-pins.js";

export interface KeyCheck {
  readonly host: string;
  /** What known_hosts files call the host. */
  readonly name: string;
  readonly pinned: readonly PinnedKey[];
  /** What the files have for the host at any port: good for a key that they have, and no reason to refuse another. */
  readonly elsewhere: readonly PinnedKey[];
  readonly fingerprint: string | undefined;
  /** Where a new key is pinned. */
  readonly file: string;
  readonly onEvent: EventSink;
}

/**
 * Decides whether this key is the host's, and pins it at the first contact.
 * @throws BackupError HOST_KEY_CHANGED, HOST_KEY_UNKNOWN
 */
export async function checkPresented(check: KeyCheck, key: KeyBlob): Promise<void> {
  const { host, name, pinned, elsewhere, fingerprint, file, onEvent } = check;
  const same = (other: PinnedKey): boolean =>
    other.key.length === key.length && timingSafeEqual(Buffer.from(other.key), Buffer.from(key));
  const revoked = [...pinned, ...elsewhere].some((other) => other.revoked && same(other));
  if (!revoked && pinned.some(same)) return;
  if (pinned.length > 0 || revoked)
    throw hostKeyChanged(host, describeKey(key), describePinned(pinned) || "another: this one is revoked");
  if (fingerprint !== undefined && fingerprintOf(key) !== fingerprint)
    throw hostKeyChanged(host, describeKey(key), `${fingerprint} (--host-key-fingerprint)`);
  if (elsewhere.some(same)) return;
  try {
    await appendKnownHost(file, name, key, keyTypeOf(key));
  } catch (error) {
    // With a fingerprint it is the right host all the same, now and at every run.
    if (fingerprint !== undefined) return;
    throw hostKeyUnknown(host, describeKey(key), `it cannot be pinned in ${file}, which is not writable`, error);
  }
  announcePin(host, [{ key, type: keyTypeOf(key), revoked: false, file, line: 0 }], onEvent);
}

/** By the type of the key: what is asked for from the host. */
const ALGORITHMS: readonly (readonly [string, readonly ServerHostKeyAlgorithm[]])[] = [
  ["ssh-ed25519", ["ssh-ed25519"]],
  ["ecdsa-sha2-nistp256", ["ecdsa-sha2-nistp256"]],
  ["ecdsa-sha2-nistp384", ["ecdsa-sha2-nistp384"]],
  ["ecdsa-sha2-nistp521", ["ecdsa-sha2-nistp521"]],
  // Not ssh-rsa: its signatures are over SHA-1.
  ["ssh-rsa", ["rsa-sha2-512", "rsa-sha2-256"]],
];

/** The types that are pinned first: a host may have a key of each type, and one of another type is not a change. */
export function preferredAlgorithms(
  pinned: readonly PinnedKey[],
  without: readonly string[],
): ServerHostKeyAlgorithm[] {
  const types = new Set(pinned.filter(({ revoked }) => !revoked).map(({ type }) => type));
  const left = ALGORITHMS.filter(([type]) => !without.includes(type));
  const first = left.filter(([type]) => types.has(type));
  const rest = left.filter(([type]) => !types.has(type));
  return [...first, ...rest].flatMap(([, algorithms]) => algorithms);
}

/** At the first contact the host may have the key that is asked for as one of another type. */
export function isOtherType(check: KeyCheck, error: unknown): error is BackupError {
  const { fingerprint, pinned } = check;
  return (
    error instanceof BackupError && error.code === "HOST_KEY_CHANGED" && fingerprint !== undefined && !pinned.length
  );
}
