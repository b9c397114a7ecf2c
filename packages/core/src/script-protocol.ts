import { BackupError } from "./errors.js";
import { PLUGIN_API } from "./plugin.js";
import type { PluginOption, PluginOptions, Positional } from "./plugin-options.js";

/** What a script says of itself: its answer to `describe`. */
export interface ScriptDescription {
  readonly name: string;
  readonly version?: string | undefined;
  readonly summary: string;
  readonly positionals: readonly Positional[];
  readonly options: PluginOptions;
  /** The word that says whose secret it is, for options that are secrets and not given. */
  readonly partner?: string | undefined;
  /** That it can bring back what it has listed, and the words and options by which it is told where to. */
  readonly restore?: Pick<ScriptDescription, "summary" | "positionals" | "options"> | undefined;
}

/** An entry of its answer to `list`. */
export interface ScriptEntry {
  /** What it is called, with directories: `letters/2024.txt`. */
  readonly path: string;
  /** Another one whenever the bytes may be others. */
  readonly revision?: string | undefined;
  /** Bytes, as far as that is known. */
  readonly size?: number | undefined;
  /** When it was last changed, seconds since 1970. */
  readonly mtime?: number | undefined;
  /** Why it cannot be had; it stays in the backup as it is. */
  readonly error?: string | undefined;
}

/** Its answer to a request of `read`. */
export interface ScriptBody {
  readonly path: string;
  /** A file that has the bytes, instead of the one that was asked for. */
  readonly file?: string | undefined;
  /** Why they cannot be had. */
  readonly error?: string | undefined;
}

/** What it did with a file that it was offered by `restore`. */
export interface ScriptDone {
  /** `present`: it was there before. `skipped`: it is not of what was asked for. */
  readonly did?: (typeof DEEDS)[number] | undefined;
  /** Why it did not. */
  readonly error?: string | undefined;
}

/** The last second that Date can hold. */
const LATEST_S = 8_640_000_000_000;

const DEEDS = ["restored", "present", "skipped"] as const;

type Fields = Readonly<Record<string, unknown>>;

/** @throws BackupError PLUGIN_INVALID, PLUGIN_UNKNOWN for another version of the interface */
export function parseDescription(line: string, script: string): ScriptDescription {
  const wrong = (what: string): BackupError =>
    new BackupError("PLUGIN_INVALID", `${script} describe: ${what}; see docs/plugins.md`);
  const fields = parseLine(line);
  if (!fields) throw wrong("its first line is no JSON object");
  if (fields.api !== PLUGIN_API)
    throw new BackupError(
      "PLUGIN_UNKNOWN",
      `${script} is made for version ${String(fields.api)} of the plugin interface, and this is version ${PLUGIN_API}; update the older one`,
    );
  const { partner, restore } = fields;
  if (restore !== undefined && !isFields(restore)) throw wrong("restore is no object");
  if (partner !== undefined && typeof partner !== "string") throw wrong("partner is no text");
  return {
    name: textOf(fields.name) ?? "",
    version: textOf(fields.version),
    ...parseWords(fields, wrong),
    partner,
    restore: restore && parseWords(restore, (what) => wrong(`of restore, ${what}`)),
  };
}

function parseWords(
  { summary, words = [], options = {} }: Fields,
  wrong: (what: string) => BackupError,
): Pick<ScriptDescription, "summary" | "positionals" | "options"> {
  if (!Array.isArray(words)) throw wrong("words is no list");
  if (!isFields(options)) throw wrong("options is no object");
  return {
    summary: textOf(summary) ?? "",
    // What they hold, checkPlugin sees.
    positionals: words as readonly Positional[],
    options: options as Readonly<Record<string, PluginOption>>,
  };
}

/** @returns undefined: it says that this was all. @throws BackupError PROTOCOL */
export function parseEntry(line: string, script: string): ScriptEntry | undefined {
  const fields = parseLine(line);
  if (isEnd(fields)) return undefined;
  const path = textOf(fields?.path);
  const { revision, size, mtime, error } = fields ?? {};
  const isRight =
    path !== undefined &&
    isTextOrNothing(revision) &&
    isTextOrNothing(error) &&
    (size === undefined || (typeof size === "number" && size >= 0)) &&
    (mtime === undefined || (typeof mtime === "number" && Math.abs(mtime) <= LATEST_S));
  if (!isRight) throw protocol(script, "list", line);
  return { path, revision: textOf(revision), error: textOf(error), size, mtime };
}

/** @throws BackupError PROTOCOL */
export function parseBody(line: string, script: string, path: string): ScriptBody {
  const fields = parseLine(line);
  if (fields?.path !== path || !isTextOrNothing(fields.file) || !isTextOrNothing(fields.error))
    throw protocol(script, "read", line);
  return { path, file: textOf(fields.file), error: textOf(fields.error) };
}

/** @throws BackupError PROTOCOL */
export function parseDone(line: string, script: string, path: string): ScriptDone {
  const fields = parseLine(line);
  const { did, error } = fields ?? {};
  const deed = DEEDS.find((each) => each === did);
  if (fields?.path !== path || !isTextOrNothing(error) || (deed === undefined) === (error === undefined))
    throw protocol(script, "restore", line);
  return { did: deed, error: textOf(error) };
}

/** Whether a line says that this was all. */
export function isScriptEnd(line: string): boolean {
  return isEnd(parseLine(line));
}

function isEnd(fields: Fields | undefined): boolean {
  return fields?.end === true;
}

function protocol(script: string, call: string, line: string): BackupError {
  const shown = line.length > 80 ? `${line.slice(0, 80)}…` : line;
  return new BackupError(
    "PROTOCOL",
    `${script} ${call} printed ${JSON.stringify(shown)}, which is no answer; see docs/plugins.md (messages belong to stderr)`,
  );
}

function parseLine(line: string): Fields | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return isFields(parsed) ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isTextOrNothing(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}
