import type { EventSink } from "@backup/core";
import { describeKey, fingerprintOf, hostKeyChanged } from "./host-key.js";
import { type PinnedKey, describePinned } from "./known-hosts.js";

export interface PinCheck {
  readonly host: string;
  /** What known_hosts files have for the host. */
  readonly pinned: readonly PinnedKey[];
  /** What the user says that the key is. */
  readonly fingerprint: string | undefined;
}

/** What is pinned must agree with what is asked for, before anything is connected. @throws BackupError HOST_KEY_CHANGED */
export function checkPinned({ host, pinned, fingerprint }: PinCheck): void {
  if (fingerprint === undefined || pinned.length === 0) return;
  if (pinned.some(({ key, revoked }) => !revoked && fingerprintOf(key) === fingerprint)) return;
  throw hostKeyChanged(host, `what is pinned, ${describePinned(pinned)}`, `${fingerprint} (--host-key-fingerprint)`);
}

/** Says that a key was pinned, so that somebody compares it. */
export function announcePin(host: string, pinned: readonly PinnedKey[], onEvent: EventSink): void {
  for (const { key, file } of pinned)
    onEvent({
      type: "warning",
      code: "HOST_KEY_PINNED",
      message: `first contact with ${host}: its key ${describeKey(key)} is now pinned in ${file}; compare it with the host's`,
    });
}
