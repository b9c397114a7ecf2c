import { createHash } from "node:crypto";
import { BackupError } from "@backup/core";

/** One of `of` parts of a plan, counted from 0. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** Reads `2/8`. @throws BackupError USAGE */
export function parseShard(text: string): Shard {
  const [, index = "", of = ""] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (of !== "" && shard.of > 0 && shard.index < shard.of) return shard;
  throw new BackupError("USAGE", `--shard takes a part and how many there are, from 0/4 to 3/4, not '${text}'`);
}

/**
 * Whether a destination is of this part: by a hash of its text, so that it is the same one on every machine, whatever else
 * is added to the plan or removed from it.
 */
export function isInShard(destination: string, { index, of }: Shard): boolean {
  return createHash("sha256").update(destination).digest().readUInt32BE() % of === index;
}
