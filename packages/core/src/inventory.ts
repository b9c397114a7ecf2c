import type { Path } from "./model.js";
import { isBackupError } from "./errors.js";
import { PRIVATE, isSafe } from "./paths.js";
import type { Stock } from "./stock.js";
import type { Store } from "./store.js";

/**
 * What the last run left at the destination, held against what the source listed; see docs/format.md. Written when the
 * checkpoint is: a run that was cut leaves the one of before.
 */
export interface Inventory {
  readonly format: 1;
  /** `Source.id`. */
  readonly source: string;
  /** When the run ended; ISO 8601, as all times here. */
  readonly finished: string;
  readonly seconds: number;
  readonly result: "done" | "partial";
  /** When the last run ended in which nothing was missing; null: none has. */
  readonly complete: string | null;
  /** What was asked for and could not be listed in that run. */
  readonly unlisted: readonly string[];
  /** Sorted by path. */
  readonly collections: readonly Holding[];
}

/** One collection: what the source has of it, and what is here. */
export interface Holding extends Stock {
  readonly path: Path;
  readonly name: string;
  /** When both were last compared, or known to be as they were. */
  readonly at: string;
  /** Items that the source listed, sidecars left out. */
  readonly items: number;
  /** Ids that the source listed and that have no whole file here, sorted. */
  readonly gaps: readonly string[];
  /** Files that the source has not, or not any more, or of which there is a second one. */
  readonly kept: number;
  /** `Seen.stamp` of the checkpoint of the same run: compared by the next one, and by nobody else. */
  readonly stamp: string;
}

const FORMAT = 1;
/** The path of the one collection of a tree that is backed up as a whole. */
export const TOP = ".";
export const INVENTORY_FILE: Path = `${PRIVATE}/report.json`;

/** The inventory of the last run; undefined where there is none, or none that this version can read. */
export async function readInventory(store: Store, signal: AbortSignal): Promise<Inventory | undefined> {
  try {
    const value: unknown = JSON.parse(Buffer.from(await store.read(INVENTORY_FILE, signal)).toString());
    return isInventory(value) ? value : undefined;
  } catch (error) {
    if (isBackupError(error, "NOT_FOUND") || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export async function writeInventory(store: Store, inventory: Inventory, signal: AbortSignal): Promise<void> {
  await store.write(INVENTORY_FILE, Buffer.from(`${JSON.stringify(inventory, undefined, 1)}\n`), signal);
}

function isInventory(value: unknown): value is Inventory {
  if (!isRecord(value) || value.format !== FORMAT) return false;
  const { source, finished, seconds, result, complete, unlisted, collections } = value;
  return (
    [source, finished].every(isText) &&
    typeof seconds === "number" &&
    (result === "done" || result === "partial") &&
    (complete === null || isText(complete)) &&
    isListOf(unlisted, isText) &&
    isListOf(collections, isHolding)
  );
}

function isHolding(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { path, name, at, digest, stamp, items, files, bytes, kept, gaps } = value;
  return (
    isText(path) &&
    (isSafe(path) || path === TOP) &&
    [name, at, digest, stamp].every(isText) &&
    [items, files, bytes, kept].every((number) => typeof number === "number") &&
    isListOf(gaps, isText)
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isListOf(value: unknown, isOne: (entry: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne);
}
