import { BackupError, type ErrorCode } from "@backup/core";
import type { Direction } from "./rsync-arguments.js";
import type { Ended } from "./rsync-output.js";

/** How rsync(1) ended: the cause of an error, and for those who know more of what they asked for. */
export class RsyncExit extends Error {
  override readonly name = "RsyncExit";
  /** As its manual lists them; null: a signal ended it. */
  readonly exitCode: number | null;
  readonly killedBy: NodeJS.Signals | null;
  /** Its beginning and its end. */
  readonly stderr: string;
  /** What it printed until then. */
  readonly stdout: Buffer;

  constructor({ code, killedBy, stderr, stdout }: Ended) {
    super(`rsync ended with ${killedBy ?? code}: ${stderr.trim()}`);
    this.exitCode = code;
    this.killedBy = killedBy;
    this.stderr = stderr;
    this.stdout = stdout;
  }
}

export interface RsyncErrorContext {
  /** What ssh(1) calls it. */
  readonly host: string;
  readonly direction: Direction;
}

/** What stands for an error: `{host}` is the host, `{line}` the line of stderr that matched. */
interface Rule {
  readonly codes?: readonly (number | null)[];
  readonly stderr?: RegExp;
  readonly code: ErrorCode;
  readonly transient?: boolean;
  readonly message: string;
}

/**
 * The first that fits is taken: what a line says is worth more than the exit code, which is 12 or 23 for most, and 12
 * instead of the remote shell's own where rsync finds the pipe broken before it sees the shell end.
 */
const RULES: readonly Rule[] = [
  {
    stderr: /Another instance of rrsync is already/,
    code: "LEASE_HELD",
    transient: true,
    message: "{host} runs another rsync for this account, and its rrsync allows one at a time; run again later",
  },
  {
    stderr: /rrsync error: post-realpath open failed.*No such file/,
    code: "NOT_FOUND",
    message: "{host} has no such file or directory ({line})",
  },
  {
    stderr: /rrsync error: post-realpath open failed.*Not a directory/,
    code: "DESTINATION_UNWRITABLE",
    message: "{host} has something else in the place of a directory ({line}); move it away",
  },
  {
    stderr: /Too many levels of symbolic links/,
    code: "DESTINATION_UNWRITABLE",
    message:
      "{host} has a symbolic link in the place of a directory ({line}), and those are not followed; put the directory itself there",
  },
  {
    stderr: /rrsync error: sending to read-only|rrsync error: option --(?:delete|remove)\S* has been disabled/,
    code: "DESTINATION_UNWRITABLE",
    message: "{host} allows this account less than a backup needs ({line}); allow it in its authorized_keys",
  },
  {
    stderr: /rrsync error:|rrsync: /,
    code: "PROTOCOL",
    message: "{host} refused what rsync asked for ({line}); allow it in the account's authorized_keys",
  },
  {
    stderr: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/,
    code: "HOST_KEY_UNKNOWN",
    message: "{host} did not show the host key that is known ({line}); check it and known_hosts",
  },
  {
    stderr: /Permission denied \([a-z]|Too many authentication failures/,
    code: "AUTH_FAILED",
    message: "{host} refused the login ({line}); check the user and the key",
  },
  {
    stderr: /unknown option|unrecognized option|invalid option|on unknown option/,
    code: "PROTOCOL",
    message: "rsync of {host} is too old or another program ({line}); install rsync 3.1 or newer there",
  },
  {
    stderr: /is your shell clean|protocol version mismatch|protocol startup error|unexpected tag/,
    code: "PROTOCOL",
    message:
      "{host} answers rsync with other text: its login shell prints something (make .bashrc or .profile silent for commands), or the account allows SFTP only (--transport sftp)",
  },
  {
    codes: [127],
    code: "TRANSPORT_MISSING",
    message: "{host} has no rsync ({line}); install it there, or use --transport sftp",
  },
  {
    stderr: /command not found|rsync: not found|rsync: No such file or directory/,
    code: "TRANSPORT_MISSING",
    message: "{host} has no rsync ({line}); install it there, or use --transport sftp",
  },
  {
    stderr: /rsync: Permission denied/,
    code: "TRANSPORT_MISSING",
    message: "{host} does not let this account run rsync ({line}); allow it, or use --transport sftp",
  },
  {
    codes: [126],
    code: "TRANSPORT_MISSING",
    message: "{host} does not let this account run rsync ({line}); allow it, or use --transport sftp",
  },
  {
    stderr: /Failed to exec/,
    code: "TRANSPORT_MISSING",
    message: "the program that connects to {host} cannot be run on this machine ({line}); install it",
  },
  { stderr: /No space left on device|Disk quota exceeded|File too large/, code: "DISK_FULL", message: "" },
  {
    stderr: /(?:change_dir|mkdir|link_stat) .*No such file or directory/,
    code: "NOT_FOUND",
    message: "{host} has no such directory ({line})",
  },
  {
    stderr: /Permission denied|Read-only file system|Operation not permitted/,
    code: "DESTINATION_UNWRITABLE",
    message: "{host} does not let this account read and write there ({line}); give it the right to",
  },
  {
    stderr: /Not a directory|File exists|Is a directory|could not make way for/,
    code: "DESTINATION_UNWRITABLE",
    message: "{host} has something else in the place of a directory or file ({line}); move it away",
  },
  { codes: [25], code: "DESTINATION_UNWRITABLE", message: "{host} allows fewer deletions at a time ({line})" },
  {
    codes: [30, 35],
    code: "TIMEOUT",
    transient: true,
    message: "{host} stopped answering while rsync ran; run again",
  },
  {
    codes: [255],
    code: "CONNECTION_LOST",
    transient: true,
    message: "the connection to {host} failed ({line}); run again",
  },
  {
    // 15 and 16: another of its processes, here or there, has crashed or was ended.
    codes: [5, 10, 12, 14, 15, 16, 124, 125],
    code: "CONNECTION_LOST",
    transient: true,
    message: "the connection to {host} broke while rsync ran ({line}); run again",
  },
  {
    codes: [19, 20, null],
    code: "ABORTED",
    transient: true,
    message: "rsync to {host} was ended from outside; what was copied is kept, run again",
  },
  {
    codes: [24],
    code: "NOT_FOUND",
    transient: true,
    message: "files vanished while rsync copied them ({line}); run again",
  },
];

/** An error for a person, with the exit as its cause. */
export function rsyncError(exit: RsyncExit, { host, direction }: RsyncErrorContext): BackupError {
  const lines = exit.stderr.split("\n").filter((line) => line.trim() !== "");
  for (const rule of RULES) {
    if (rule.codes && !rule.codes.includes(exit.exitCode)) continue;
    const line = rule.stderr ? lines.find((text) => rule.stderr?.test(text)) : lines.find(isTelling);
    if (rule.stderr && line === undefined) continue;
    if (rule.code === "DISK_FULL") return fullError(exit, host, direction);
    // One after the other would find `{line}` in what the host said.
    const said = oneLine(line ?? lines[0] ?? `exit code ${exit.exitCode}`);
    const message = rule.message.replace(/\{(host|line)\}/g, (_all, name) => (name === "host" ? host : said));
    return new BackupError(rule.code, message, { transient: rule.transient ?? false, cause: exit });
  }
  const said = oneLine(lines.find(isTelling) ?? lines[0] ?? "it says nothing");
  const count = lines.filter((line) => /^rsync: .*(?:failed|error)/i.test(line)).length;
  const more = count > 1 ? `, and ${count - 1} more like it` : "";
  return new BackupError(
    direction === "push" ? "DESTINATION_UNWRITABLE" : "PROTOCOL",
    `rsync with ${host} ended with exit code ${exit.exitCode} (${said}${more}); see the section EXIT VALUES of its manual`,
    { cause: exit },
  );
}

function fullError(exit: RsyncExit, host: string, direction: Direction): BackupError {
  if (direction === "push")
    return new BackupError("DISK_FULL", `${host} is full; what was copied is kept. Make room and run again`, {
      cause: exit,
    });
  return new BackupError("SPOOL_UNWRITABLE", `the spool has no space left; name a directory with --spool`, {
    cause: exit,
  });
}

/** That the other end is gone is true of most failures, and the reason of none. */
function isTelling(line: string): boolean {
  return !/connection unexpectedly closed|^rsync (?:error|warning): |Broken pipe/.test(line);
}

/** No control characters, and no more than a line of it: it comes from the host. */
function oneLine(text: string): string {
  const clean = text.replace(/\p{Cc}+/gu, " ").trim();
  return clean.length > 300 ? `${clean.slice(0, 300)}…` : clean;
}
