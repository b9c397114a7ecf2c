import { BackupError, type ErrorCode } from "@backup/core";

/** What the client programs' error numbers mean for a whole server; https://mariadb.com/kb/en/mariadb-error-codes/. */
const CODES: Readonly<Record<string, readonly [code: ErrorCode, advice: string]>> = {
  1045: ["AUTH_FAILED", "check the user and the password"],
  1698: ["AUTH_FAILED", "check the user and the password"],
  1130: ["AUTH_FAILED", "the server lets nobody in from here"],
  1251: ["AUTH_FAILED", "the client program is too old for the way this account logs on"],
  2059: ["AUTH_FAILED", "the client program does not have the plugin by which this account logs on"],
  1040: ["THROTTLED", "it has too many connections; try again later"],
  2002: ["CONNECTION_REFUSED", "check that it runs, and its socket or port"],
  2003: ["CONNECTION_REFUSED", "check that it runs, and its address"],
  2005: ["HOST_UNKNOWN", "check its name"],
  2006: ["CONNECTION_LOST", "run again"],
  2013: ["CONNECTION_LOST", "run again; where that happens each time, see the server's log"],
  2026: ["TLS_UNTRUSTED", "trust its certificate with --tls-ca, or see --tls none"],
};

const TRANSIENT: ReadonlySet<ErrorCode> = new Set(["THROTTLED", "CONNECTION_REFUSED", "CONNECTION_LOST"]);

/** Lines that are no error: of the program itself, and of what it ignores. */
const NOISE = /^(?:\S+: )?\[?warning\b/i;

/** The last thing that a client program complains about, in one line; undefined: nothing. */
export function complaintOf(stderr: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "" && !NOISE.test(line))?.replace(/^(?:mariadb|mysql)(?:-?dump)?: /, "");
}

/** The number that a complaint names: `ERROR 1045 (28000): …`, `Got error: 1045: …`, `… (1146)`. */
export function errorNumber(complaint: string): string | undefined {
  const match = /\berror:? (\d{4})\b|\((\d{4})\)$/i.exec(complaint);
  return match?.[1] ?? match?.[2];
}

/**
 * A client program's failure as an error for a person.
 * @param what what could not be done: `shop could not be dumped`
 * @param fallback of what concerns no whole server
 */
export function clientError(
  what: string,
  { complaint, why }: { readonly complaint: string | undefined; readonly why: string },
  fallback: ErrorCode = "ITEM_UNREADABLE",
): BackupError {
  if (complaint === undefined) return new BackupError(fallback, `${what}: ${why}`);
  const [code, advice] = meaningOf(complaint) ?? [fallback, undefined];
  const text = advice === undefined ? `${what}: ${complaint}` : `${what}: ${complaint}; ${advice}`;
  return new BackupError(code, text, { transient: TRANSIENT.has(code) });
}

/** What it means for the whole server; undefined: nothing. */
function meaningOf(complaint: string): (typeof CODES)[string] | undefined {
  const found = CODES[errorNumber(complaint) ?? ""];
  // Of a statement: the account was let in before.
  return found?.[0] === "AUTH_FAILED" && / at line \d+: /.test(complaint) ? undefined : found;
}
