import { BackupError } from "@backup/core";
import type { RemoteShell } from "@backup/core";

/** From which end to which; `push` writes at the host. */
export type Direction = "push" | "pull";

/** Of a program: `[3, 2, 7]`. */
export type Version = readonly [major: number, minor: number, patch: number];

/** The first rsync that escapes its arguments for the shell of the host by itself. */
const ESCAPES: Version = [3, 2, 4];

export function isAtLeast(version: Version, wanted: Version): boolean {
  for (const [index, part] of version.entries()) {
    const other = wanted[index] ?? 0;
    if (part !== other) return part > other;
  }
  return true;
}

/**
 * The value of `--rsh`. rsync(1) splits it at blanks, and only at those; in quotes of one kind a blank is kept and the
 * quote itself is written twice. Nothing else is special, backslashes neither.
 */
export function remoteShellOption({ program, args }: Pick<RemoteShell, "program" | "args">): string {
  return [program, ...args].map((word) => `'${word.replaceAll("'", "''")}'`).join(" ");
}

/**
 * Whether the arguments go by the protocol instead of the command line (`-s`, `--protect-args`). rsync before 3.2.4
 * leaves blanks and quotes to the shell of the host; a newline no backslash protects in any. Not always, because
 * rrsync(1) refuses the option.
 */
export function isSecluded(version: Version, directory: string): boolean {
  return !isAtLeast(version, ESCAPES) || /[\r\n]/.test(directory);
}

export interface RemoteArgument {
  readonly target: string;
  /** Taken as it is: no character of it means anything. */
  readonly directory: string;
  readonly direction: Direction;
  readonly isSecluded: boolean;
}

/**
 * `host:directory/` as rsync(1) takes it.
 * @throws BackupError USAGE for a target that rsync or ssh would take for an option, a daemon or a local path
 */
export function remoteArgument({ target, directory, direction, isSecluded: secluded }: RemoteArgument): string {
  // With a leading dot there is no option, no `~` and no second colon, which would make it a daemon's module.
  const absolute = directory.startsWith("/") ? directory : directory === "" ? "." : `./${directory}`;
  // Wildcards are left to the host's shell, or to its rsync where arguments are secluded; there only of what is sent.
  const isExpanded = direction === "pull" || !secluded;
  const literal = isExpanded ? absolute.replace(/[*?[\]]/g, "\\$&") : absolute;
  return `${hostPart(target)}:${literal.endsWith("/") ? literal : `${literal}/`}`;
}

function hostPart(target: string): string {
  const at = target.lastIndexOf("@");
  const user = target.slice(0, at + 1);
  const host = target.slice(at + 1).replace(/^\[(.*)\]$/, "$1");
  if (host === "" || /^-|[/\s[\]\0]/.test(host) || /^-|[:/\s\0]/.test(user))
    throw new BackupError("USAGE", `${JSON.stringify(target)} is no name of a host; write [user@]host`);
  return host.includes(":") ? `${user}[${host}]` : target;
}

/**
 * A directory as the last word of a command for the shell of a host, also for that of rrsync(1), which knows no quotes.
 * @throws BackupError USAGE for a name that no backslash protects
 */
export function shellWord(directory: string): string {
  if (/[\r\n\0]/.test(directory))
    throw new BackupError("USAGE", "between two other hosts a directory may have no line feed in its name");
  return withSlash(directory).replace(/[^\w./@%+=:,\u{80}-\u{10ffff}-]/gu, "\\$&");
}

/** A directory of the machine that rsync(1) runs on. */
export function withSlash(directory: string): string {
  // A name with a colon is one of a host, and one with a hyphen an option, unless a slash comes first.
  const plain = directory.startsWith("/") ? directory : `./${directory}`;
  return plain.endsWith("/") ? plain : `${plain}/`;
}
