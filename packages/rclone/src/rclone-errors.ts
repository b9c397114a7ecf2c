import { BackupError, type ErrorCode, type Secret, scrub, scrubbedError } from "@backup/core";

/** What rclone and the libraries for its remotes say, and what that means; the first that fits. */
const MEANINGS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /knownhosts: key mismatch|host key mismatch/i,
    "HOST_KEY_CHANGED",
    "the host's key is another one than before; find out why",
  ],
  [
    /knownhosts: key is unknown/i,
    "HOST_KEY_UNKNOWN",
    "the host's key is not in known_hosts_file of the remote; add it there",
  ],
  [/x509|certificate/i, "TLS_UNTRUSTED", "its certificate cannot be trusted; see docs/rclone.md"],
  [
    /invalid_grant|token expired|fetch token|\b401\b|unauthori[sz]ed|unable to authenticate|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidAccessKey|authentication failed|530 /i,
    "AUTH_FAILED",
    "the login was refused; renew it with 'rclone config reconnect' or correct rclone's configuration",
  ],
  [
    /quota|storage (?:limit|full)|insufficient.?storage|\b507\b|over.?limit/i,
    "OVER_QUOTA",
    "there is no room left in the account",
  ],
  [/no space left/i, "DISK_FULL", "the disk there is full"],
  [/too many requests|rate.?limit|SlowDown|\b429\b|throttl/i, "THROTTLED", "it asks for a pause; run again later"],
  [/no such host|lookup .*: /i, "HOST_UNKNOWN", "there is no such host; check rclone's configuration"],
  [/connection refused/i, "CONNECTION_REFUSED", "nobody answers there; check that the server runs"],
  [
    /i\/o timeout|deadline exceeded|connection reset|broken pipe|\bEOF\b|connection lost|couldn't connect|use of closed|unreachable|connection closed|\b50[234]\b/i,
    "CONNECTION_LOST",
    "the connection was lost; run again",
  ],
  [
    /permission denied|read.?only|access.?denied|forbidden|\b403\b|operation not permitted|not allowed/i,
    "DESTINATION_UNWRITABLE",
    "that is not allowed there; check the account's rights",
  ],
  [/file name too long|filename too long|invalid (?:file ?)?name/i, "DESTINATION_UNWRITABLE", "it takes no such name"],
];

const TRANSIENT: ReadonlySet<ErrorCode> = new Set(["CONNECTION_LOST", "CONNECTION_REFUSED", "THROTTLED", "TIMEOUT"]);
const LONGEST = 300;

/** An error of rclone as one for a person: one line, without secrets. */
export function faultError(
  fault: Error,
  { where, secrets }: { readonly where: string; readonly secrets: readonly Secret[] },
): BackupError {
  const said = scrub(fault.message, secrets).replace(/\s+/g, " ").trim();
  const [, code, advice] = MEANINGS.find(([pattern]) => pattern.test(said)) ?? [
    /$/,
    "PROTOCOL" as const,
    "run 'rclone lsd' there to see more",
  ];
  const shown = said.length > LONGEST ? `${said.slice(0, LONGEST)}…` : said;
  const message = `${where}: ${advice} (rclone: ${shown})`;
  return new BackupError(code, message, { transient: TRANSIENT.has(code), cause: scrubbedError(fault, secrets) });
}
