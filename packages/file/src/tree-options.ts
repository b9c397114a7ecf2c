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
 * What may be said to rsync(1): how bytes travel, and which attributes are kept. Everything else could delete or write what
 * it is not to, follow links at the destination, change files in their place, or hide what is done. A value is in the same
 * word, or the next option would be taken for it.
 */
const ALLOWED: readonly RegExp[] = [
  /^--(?:no-)?(?:checksum|compress|whole-file|sparse|numeric-ids|one-file-system|fsync|preallocate|open-noatime|super|ignore-times)$/,
  /^--(?:no-)?(?:owner|group|perms|acls|xattrs|devices|specials|hard-links|executability|atimes|omit-dir-times|omit-link-times)$/,
  /^--no-[ogpAXDH]$/,
  /^--(?:chmod|chown|usermap|groupmap|compress-choice|compress-level|zc|zl|skip-compress|checksum-choice|cc|checksum-seed|block-size|bwlimit|max-size|min-size|timeout|rsync-path)=[^]+$/,
  // No rule that takes others back, and none from a file, which could.
  /^--(?:exclude|include)=[^!]/,
  /^--filter=[-+HSPR] [^!]/,
  /^-[czWSxNUHAXpogDtEOJI46]+$/,
  /^-B\d+$/,
  /^(?:-M|--remote-option=)--fake-super$/,
  /^--fake-super$/,
];

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
    if (!ALLOWED.some((allowed) => allowed.test(option)))
      throw new BackupError(
        "USAGE",
        `rsync's ${option} is what backup itself decides, or has no value in the same word; see docs/file.md for what may follow --`,
      );
  }
}

/**
 * Options of rsync(1) for all runs of a tree.
 * @param without of `A` (ACLs) and `X` (extended attributes), those that an end does not know
 */
export function rsyncOptions(options: TreeOptions, without: ReadonlySet<string>): readonly string[] {
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
    ...rules(options).map((rule) => `--filter=${rule}`),
    ...rsync,
  ];
}

/** The first that fits is taken. */
function rules({ exclude = [], include = [] }: TreeOptions): readonly string[] {
  return [
    ...include.flatMap(rulesOf).map((rule) => `+ ${rule}`),
    ...exclude.flatMap(rulesOf).map((rule) => `- ${rule}`),
  ];
}

/** A pattern that is this directory and no other; "" is the top. A backslash counts only beside what it takes the meaning from. */
export function ruleFor(directory: RawPath): string {
  if (directory === "") return "/**";
  return `/${/[*?[]/.test(directory) ? directory.replace(/[*?[\\]/g, "\\$&") : directory}/`;
}

/** A slash that is not the last character ties a pattern to the top, as gitignore(5) says; in rsync(1) only a first one does. */
function rulesOf(pattern: string): readonly string[] {
  const plain = pattern.replace(/^(?:\*\*\/)+/, "");
  if (plain !== pattern) return variantsOf(plain);
  return variantsOf(plain.startsWith("/") || !plain.slice(0, -1).includes("/") ? plain : `/${plain}`);
}

/** Between two names there may be any number of directories; to rsync(1), one at least. */
function variantsOf(pattern: string): readonly string[] {
  const at = pattern.indexOf("/**/");
  if (at < 0) return [pattern];
  const start = pattern.slice(0, at);
  return variantsOf(pattern.slice(at + 4)).flatMap((rest) => [`${start}/**/${rest}`, `${start}/${rest}`]);
}
