import type { BackupError, Item } from "@backup/core";

/** A message of a folder. */
export interface MessageItem extends Item {
  readonly sidecar?: never;
  readonly uidValidity: bigint;
  readonly uid: number;
  /** See MessageName. */
  readonly letters: string;
}

/** A small file that belongs to a folder, made here: its content is known when it is listed. */
export interface SidecarItem extends Item {
  readonly sidecar: true;
  readonly bytes: Uint8Array;
}

/**
 * What the server does not tell of a message that is listed otherwise: it always fails, so that the run is partial and
 * the next one asks again.
 */
export interface MissingItem extends Item {
  readonly sidecar: true;
  readonly error: BackupError;
}

export type MailItem = MessageItem | SidecarItem | MissingItem;
