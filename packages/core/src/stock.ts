import { createHash } from "node:crypto";
import type { Known } from "./model.js";

/** The files of a collection in few words, sidecars left out: equal where the same items are there. */
export interface Stock {
  /** Files of ours; a second one of the same item counts too. */
  readonly files: number;
  /** Of these files. */
  readonly bytes: number;
  /** SHA-256, hexadecimal, over the ids of these files: sorted, each followed by a line feed. */
  readonly digest: string;
}

export function stockOf(known: readonly Known[]): Stock {
  const counted = known.filter(({ identity }) => !identity.sidecar);
  const lines = counted.map(({ identity }) => `${identity.id}\n`).toSorted();
  return {
    files: counted.length,
    bytes: counted.reduce((sum, { file }) => sum + file.size, 0),
    digest: createHash("sha256").update(lines.join("")).digest("hex"),
  };
}

export function isSameStock(one: Stock, other: Stock): boolean {
  return one.files === other.files && one.bytes === other.bytes && one.digest === other.digest;
}
