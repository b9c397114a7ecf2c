import { Secret } from "@backup/core";

/** What rclone.conf says: by the name of a remote its options. */
export type RcloneConfig = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Options of these names are secrets; those that name a file are not. */
const SECRET = /pass|secret|token|key|auth|cred|cookie|sas_url|bearer/i;
/** What rclone finds out of a host of its sftp remote, and finds out again. */
const FOUND_OUT = /^shell_type$|sum_command$/;
/** Shorter ones would be found in words that are none. */
const LEAST = 6;

/** Reads the format that rclone writes: sections of `name = value`, comments that begin with `#` or `;`. */
export function parseConfig(text: string): RcloneConfig {
  const config = new Map<string, Map<string, string>>();
  for (const { section, key, value } of linesOf(text)) {
    if (section === undefined) continue;
    const options = config.get(section) ?? new Map<string, string>();
    config.set(section, options);
    if (key !== undefined) options.set(key, value ?? "");
  }
  return config;
}

/** Whether it is one that rclone keeps encrypted. */
export function isEncrypted(text: string): boolean {
  return /^RCLONE_ENCRYPT_V/m.test(text);
}

/** Everything in it that nobody may see, also what is in the JSON of a token. */
export function secretsIn(config: RcloneConfig): readonly Secret[] {
  const values = [...config.values()].flatMap((options) =>
    [...options].flatMap(([key, value]) =>
      SECRET.test(key) && !/file|url$/.test(key) ? [value, ...textsIn(value)] : [],
    ),
  );
  return [...new Set(values)].filter((value) => value.length >= LEAST).map((value) => new Secret(value));
}

/**
 * The text with what one program changed between two readings, and nothing else: another one may have changed another
 * remote in the meantime, and a person's comments stay.
 */
export function withChanges(text: string, before: RcloneConfig, after: RcloneConfig): string {
  let lines = text.split("\n");
  for (const [section, options] of after)
    for (const [key, value] of options)
      if (before.get(section)?.get(key) !== value && !FOUND_OUT.test(key))
        lines = withValue(lines, { section, key, value });
  return lines.join("\n");
}

interface Line {
  readonly section: string | undefined;
  readonly key?: string;
  readonly value?: string;
}

function linesOf(text: string): readonly Line[] {
  let section: string | undefined;
  return text.split("\n").map((line) => {
    const [, name] = /^\s*\[(.*)\]\s*$/.exec(line) ?? [];
    if (name !== undefined) section = name.trim();
    const [, key, value] = /^\s*([^#;[=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    return key === undefined || value === undefined ? { section } : { section, key, value };
  });
}

function withValue(
  lines: readonly string[],
  { section, key, value }: { readonly section: string; readonly key: string; readonly value: string },
): string[] {
  const read = linesOf(lines.join("\n"));
  const line = `${key} = ${value}`;
  const at = read.findIndex((each) => each.section === section && each.key === key);
  if (at >= 0) return lines.with(at, line);
  const last = read.findLastIndex((each) => each.section === section && each.key !== undefined);
  const head = read.findIndex((each) => each.section === section);
  if (head < 0) return [...lines, `[${section}]`, line, ""];
  return lines.toSpliced(Math.max(last, head) + 1, 0, line);
}

/** Texts in what may be JSON. */
function textsIn(value: string): readonly string[] {
  if (!value.startsWith("{")) return [];
  try {
    const parsed: unknown = JSON.parse(value);
    if (typeof parsed !== "object" || parsed === null) return [];
    return Object.entries(parsed).flatMap(([key, text]) =>
      typeof text === "string" && !/type|expiry/.test(key) ? [text] : [],
    );
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
