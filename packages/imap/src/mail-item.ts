import type { Item } from "@backup/core";

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

export type MailItem = MessageItem | SidecarItem;
