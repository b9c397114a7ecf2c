import { BackupError, PRIVATE, isSafe } from "@backup/core";
import type { RawPath } from "./raw-path.js";

/** What of a tree is backed up, and how. */
export interface TreeOptions {
  /** Patterns as in a .gitignore; a name that also matches one of `include` is not left out by them. */
  readonly exclude?: readonly string[] | undefined;
  readonly include?: readonly string[] | undefined;
  /** No directory that has an entry of this name: `.nobackup`. */
  readonly excludeIfPresent?: string | undefined;
  /** Nothing on other file systems that are mounted in it. */
  readonly oneFileSystem?: boolean | undefined;
  /** Sizes as rsync(1) takes them: `1.5m`. */
  readonly maxSize?: string | undefined;
  readonly minSize?: string | undefined;
  /** For slow links: by size alone, what was begun is gone on with, owners and groups stay behind, compressed. */
  readonly inet?: boolean | undefined;
  /** Runs of zeros take no room at the destination. */
  readonly sparse?: boolean | undefined;
  /** Owners by their numbers, not by their names. */
  readonly numericIds?: boolean | undefined;
  /** KiB a second. */
  readonly bwlimit?: number | undefined;
  /** Further options of rsync(1), as they are. */
  readonly rsync?: readonly string[] | undefined;
}

/** Where rsync(1) keeps what it has begun, in each directory. */
const PARTIAL = ".backup-partial";

/**
 * Options that would have rsync(1) remove or write what it is not to, follow links at the destination, change files in
 * their place, or print what is not expected.
 */
const REFUSED = new Set(
  `remove-source-files remove-sent-files del force force-delete existing ignore-existing ignore-non-existing ignore-errors
  max-delete out-format log-format itemize-changes dry-run list-only files-from from0 daemon server sender config rsh
  read-batch write-batch only-write-batch backup backup-dir suffix inplace append append-verify link-dest copy-dest
  compare-dest temp-dir delay-updates stats info debug quiet verbose human-readable 8-bit-output progress secluded-args
  protect-args old-args relative no-relative dirs no-dirs old-dirs recursive no-recursive mkpath keep-dirlinks
  copy-as write-devices remote-option iconv no-iconv munge-links version help`.split(/\s+/),
);

/** The same in one letter; `v`, `h`, `q` and `P` print, `K` follows links, `M` says any of it to the other end. */
const REFUSED_LETTERS = /[nRdrevqhib0TyKMP]/;

/** Whether backup decides that itself. */
function isRefused(option: string): boolean {
  const [, name = ""] = /^--([^=]*)/.exec(option) ?? [];
  if (option.startsWith("--")) return name === "" || name.startsWith("delete") || REFUSED.has(name);
  return (
    option === "-" ||
    REFUSED_LETTERS.test(
      option
        .slice(1)
        .replace(/=.*$/s, "")
        .replace(/[fB@].*$/s, ""),
    )
  );
}

/** @throws BackupError USAGE */
export function checkTreeOptions({
  exclude = [],
  include = [],
  excludeIfPresent = ".nobackup",
  rsync = [],
}: TreeOptions): void {
  if (!isSafe(excludeIfPresent) || excludeIfPresent.includes("/"))
    throw new BackupError("USAGE", `--exclude-if-present takes the name of a file, not '${excludeIfPresent}'`);
  for (const pattern of [...exclude, ...include]) {
    if (/^[!#]/.test(pattern))
      throw new BackupError("USAGE", `'${pattern}' begins with a sign that patterns here do not know; use --include`);
    if (pattern.trim() === "" || /[\0\n]/.test(pattern))
      throw new BackupError("USAGE", "a pattern of --exclude or --include is empty, or has a line feed in it");
  }
  for (const option of rsync) {
    if (!option.startsWith("-"))
      throw new BackupError("USAGE", `'${option}' after -- is no option; write --name=value for rsync in one word`);
    if (isRefused(option))
      throw new BackupError("USAGE", `rsync's ${option} is what backup itself decides; leave it out`);
  }
}

/** What only a run finds out. */
export interface Findings {
  /** Of `A` (ACLs) and `X` (extended attributes), those that an end does not know. */
  readonly without: ReadonlySet<string>;
  /** File of patterns that are left out besides, each with a NUL after it; see ruleFor. */
  readonly excludeFrom?: string | undefined;
}

/** Options of rsync(1) for all runs of a tree. */
export function rsyncOptions(options: TreeOptions, { without, excludeFrom }: Findings): readonly string[] {
  const { oneFileSystem, maxSize, minSize, inet, sparse, numericIds, bwlimit, rsync = [] } = options;
  const attributes = ["A", "X"].filter((letter) => !without.has(letter)).map((letter) => `-${letter}`);
  return [
    "--archive",
    "--hard-links",
    ...(inet ? ["--no-owner", "--no-group", "--size-only", `--partial-dir=${PARTIAL}`, "--compress"] : attributes),
    ...(oneFileSystem ? ["--one-file-system"] : []),
    ...(maxSize === undefined ? [] : [`--max-size=${maxSize}`]),
    ...(minSize === undefined ? [] : [`--min-size=${minSize}`]),
    ...(sparse ? ["--sparse"] : []),
    ...(numericIds ? ["--numeric-ids"] : []),
    ...(bwlimit === undefined ? [] : [`--bwlimit=${bwlimit}`]),
    `--filter=- /${PRIVATE}`,
    // What every ext4 has at its top is nobody's.
    "--filter=P /lost+found",
    ...(excludeFrom === undefined ? [] : ["--from0", `--exclude-from=${excludeFrom}`]),
    ...rules(options).map((rule) => `--filter=${rule}`),
    ...rsync,
  ];
}

/** The first that fits is taken. */
function rules({ exclude = [], include = [] }: TreeOptions): readonly string[] {
  return [...include.map((pattern) => `+ ${ruleOf(pattern)}`), ...exclude.map((pattern) => `- ${ruleOf(pattern)}`)];
}

/** A pattern that is this directory and no other; "" is the top. A backslash counts only beside what it takes the meaning from. */
export function ruleFor(directory: RawPath): string {
  if (directory === "") return "/**";
  return `/${/[*?[]/.test(directory) ? directory.replace(/[*?[\\]/g, "\\$&") : directory}/`;
}

/** A slash that is not the last character ties a pattern to the top, as gitignore(5) says; in rsync(1) only a first one does. */
function ruleOf(pattern: string): string {
  const plain = pattern.replace(/^(?:\*\*\/)+/, "");
  if (plain !== pattern) return plain;
  return plain.startsWith("/") || !plain.slice(0, -1).includes("/") ? plain : `/${plain}`;
}
