import { printWords } from "./asked-command.js";

/** Before the lines of rsync(1) there are those of the shell that starts it. */
export const BEGIN = "#begin";
/** Before its exit status, the last line. */
export const END = "#exit ";
/** Before each line that rsync(1) complains in. */
export const COMPLAINT = "!";

/** Time between two signs that this machine still is there, milliseconds. */
export const BEAT_MS = 15_000;
/** Without one for so long rsync(1) is ended: before another run has the right to write there. */
const SILENCE_SECONDS = 60;

/**
 * Instead of a remote shell, where 3 and 4 are the input and the output of the connection: says what it should run, and has
 * its input and output pass through. It ends when the other one does.
 */
export const RELAY = `exec 2>/dev/null; ${printWords(4)}; exec 5<&0; cat <&5 >&4 3<&- & exec cat <&3 4>&- 5<&-`;

/** It goes by what the host knows of the other one, asks nobody, and takes no key that is not known. */
export const SSH: readonly string[] = [
  "-oBatchMode=yes",
  "-oStrictHostKeyChecking=yes",
  "-oClearAllForwardings=yes",
  "-oForwardAgent=no",
];

/** Ends it when this machine is gone: another run may begin then. */
const guard = (seconds: number): string =>
  [
    // That of an old busybox wants an option.
    `if timeout 5 true`,
    `then while [ -n "$(timeout ${seconds} dd bs=1 count=1 <&3)" ]; do :; done`,
    `else cat <&3; fi`,
    `kill $p`,
  ].join("; ");

export interface ScriptOptions {
  /** What rsync(1) reads, behind the words. */
  readonly inputBytes: number;
  /** Nothing of the transfer passes through this machine. */
  readonly isDirect: boolean;
  readonly silenceSeconds?: number;
}

/**
 * For the shell at a host, in which 3 and 4 are the input and the output of the connection: runs rsync(1) with the words that
 * follow. What it prints goes to stderr, because the output is where its remote shell writes to.
 */
export function scriptOf({ inputBytes, isDirect, silenceSeconds = SILENCE_SECONDS }: ScriptOptions): string {
  const list =
    inputBytes === 0
      ? "exec 5</dev/null"
      : `t=$(mktemp) && head -c ${inputBytes} <&3 >"$t" && exec 5<"$t" && rm -- "$t" || exit 1`;
  const run = isDirect
    ? `rsync "$@" <&5 2>&1 >&9 7>&- & p=$!; { ${guard(silenceSeconds)}; } >/dev/null 2>&1 4>&- 7>&- 9>&- & wait $p`
    : `rsync "$@" <&5 2>&1 >&9 7>&-`;
  return [
    "unset RSYNC_RSH RSYNC_OLD_ARGS RSYNC_PARTIAL_DIR RSYNC_CHECKSUM_LIST RSYNC_COMPRESS_LIST",
    "export LC_ALL=C TZ=UTC RSYNC_PROTECT_ARGS=0",
    list,
    `echo "${BEGIN}" >&2`,
    `s=$({ { ${run}; echo $? >&7; } | while IFS= read -r l; do printf "${COMPLAINT}%s\\n" "$l"; done >&9; } 7>&1 9>&2)`,
    `echo "${END}$s" >&2`,
  ].join("; ");
}
