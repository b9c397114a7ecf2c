import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { BackupError, systemCode } from "@backup/core";
import type { Outcome } from "./result.js";

/** The variable that names the file in which a watch says that it is alive. */
export const HEALTH_FILE = "BACKUP_HEALTH_FILE";

/** A watch says so again after this time, milliseconds. */
export const HEALTH_BEAT_MS = 30_000;

/** Older than this, the file is of a watch that stands still or is gone, milliseconds. */
const HEALTH_EXPIRY_MS = 120_000;

/** Clocks may differ by so much, milliseconds: no file is newer. */
const FUTURE_MS = 60_000;

/** What a watch says of itself. */
export interface Health {
  /** When it did; ISO 8601, as all times here. */
  readonly at: string;
  readonly pid: number;
  /** When the next action is due; null: none is. */
  readonly next: string | null;
  /** How the last run ended, and when; null: none has yet. `failed`: all actions that failed when they last ran. */
  readonly last: { readonly outcome: Outcome; readonly at: string; readonly failed: readonly string[] } | null;
}

/** Writes the file, 0600, whole or not at all. What is there is replaced; a symbolic link is, too, not followed. */
export async function writeHealth(file: string, health: Health): Promise<void> {
  // A name of its own: in a container every process has the same number, and what was killed left its file.
  const temporary = `${file}.${randomUUID()}`;
  try {
    await writeNew(temporary, `${JSON.stringify(health)}\n`);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeNew(file: string, text: string): Promise<void> {
  await using handle = await open(file, "wx", 0o600);
  await handle.writeFile(text);
}

export async function removeHealth(file: string): Promise<void> {
  await rm(file, { force: true });
}

/** What a watch last said; undefined: nothing. @throws BackupError UNSAFE_PATH for what is no file of a watch */
export async function readHealth(file: string): Promise<Health | undefined> {
  let text: string;
  try {
    // Not waiting for the other end of a pipe.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    text = await handle.readFile("utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const what = code === "ELOOP" ? "is a symbolic link, which is not followed" : `cannot be read (${code})`;
    throw notOurs(file, what, error);
  }
  const health = parse(text);
  if (!health) throw notOurs(file, "backup did not write");
  return health;
}

function notOurs(file: string, what: string, cause?: unknown): BackupError {
  const message = `${HEALTH_FILE} names ${file}, which ${what}; name a file that only backup writes`;
  return new BackupError("UNSAFE_PATH", message, { cause });
}

/** What is wrong by that, in a line; undefined: nothing. */
export function illness({ at, last }: Health, now: number): string | undefined {
  const age = now - Date.parse(at);
  if (age > HEALTH_EXPIRY_MS)
    return `the watch has not been heard of for ${Math.floor(age / 1000)} s; it hangs or is gone, start it again`;
  if (age < -FUTURE_MS)
    return `the watch says that it is ${Math.floor(-age / 1000)} s later than it is; set the clock, or start the watch again`;
  if (last === null || last.failed.length === 0) return undefined;
  return `what failed when it last ran (the last run ended at ${last.at}): ${last.failed.join(", ")}; its log says why`;
}

function parse(text: string): Health | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isHealth(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isHealth(value: unknown): value is Health {
  if (typeof value !== "object" || value === null || !("at" in value) || !("last" in value)) return false;
  const { at, last } = value;
  if (typeof at !== "string" || Number.isNaN(Date.parse(at))) return false;
  if (last === null) return true;
  if (typeof last !== "object" || !("outcome" in last) || !("at" in last) || !("failed" in last)) return false;
  return Array.isArray(last.failed) && typeof last.at === "string" && typeof last.outcome === "string";
}
