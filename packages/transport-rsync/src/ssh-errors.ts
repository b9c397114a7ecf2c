import { BackupError, type ErrorCode } from "@backup/core";
import { hostKeyChanged, hostKeyUnknown } from "./host-key.js";
import { describePinned, pinnedOnLine } from "./known-hosts.js";

export interface SshContext {
  /** What a person calls the host. */
  readonly host: string;
  readonly port: number | undefined;
  readonly user: string | undefined;
  /** What was offered for authentication: `the key FILE`, `the default keys and the agent`. */
  readonly offered: string;
  readonly timeoutMs: number;
}

/** What a failure to connect is, whatever library says it. */
export type SshFailure = "unknown" | "refused" | "unreachable" | "timeout" | "lost" | "denied" | "algorithms";

/** In this order: what comes first is nearer to the cause. `text` is what ssh(1) writes. */
const PATTERNS: readonly (readonly [SshFailure, RegExp])[] = [
  ["unknown", /could not resolve hostname|name or service not known/i],
  ["denied", /permission denied \(|too many authentication failures/i],
  ["refused", /connection refused/i],
  ["unreachable", /no route to host|network is unreachable|host is down/i],
  ["timeout", /timed out|timeout, server/i],
  ["algorithms", /unable to negotiate|no matching (?:host key|key exchange|cipher|mac)/i],
  ["lost", /connection (?:closed|reset)|closed by|broken pipe|reset by peer/i],
];

/**
 * What ssh(1) wrote to stderr, as an error for a person.
 * @param stderr empty, or what it is that the program could not do
 */
export async function sshError(stderr: string, context: SshContext): Promise<BackupError> {
  const cause = new Error(oneLine(stderr) || "ssh said nothing");
  const { host } = context;
  if (/HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY/.test(stderr)) {
    const [, type = ""] = /fingerprint for the (\S+) key/.exec(stderr) ?? [];
    const [presented = "another key"] = /SHA256:[A-Za-z0-9+/]+/.exec(stderr) ?? [];
    const [, file, line] = /Offending \S+ key in (.+):(\d+)/.exec(stderr) ?? [];
    const pinned = file && line ? await pinnedOnLine(file, Number(line)) : undefined;
    const expected = pinned ? describePinned([pinned]) : "another or none: it is revoked";
    return hostKeyChanged(host, `${type} ${presented}`.trim(), expected, cause);
  }
  if (/Host key verification failed|No \S+ host key is known/i.test(stderr))
    return hostKeyUnknown(host, "a key", "ssh is told to accept none that is not in known_hosts", cause);
  if (/bad configuration option|can't open user config|terminating, \d+ bad|no argument after keyword/i.test(stderr))
    return new BackupError("USAGE", `the ssh configuration is wrong: ${oneLine(stderr)}`, { cause });
  const failure = PATTERNS.find(([, pattern]) => pattern.test(stderr))?.[0];
  return failure ? failureOf(failure, context, cause) : failureOf("lost", context, cause, oneLine(stderr));
}

export function failureOf(failure: SshFailure, context: SshContext, cause?: unknown, detail = ""): BackupError {
  const { host, port, timeoutMs } = context;
  const where = port === undefined ? host : `${host} port ${port}`;
  const make = (code: ErrorCode, text: string, transient = true): BackupError =>
    new BackupError(code, text, { transient, cause });
  const said = detail === "" ? "" : ` (${detail})`;
  switch (failure) {
    case "unknown":
      return make("HOST_UNKNOWN", `no host ${host} is known to the network; check its name and the DNS`, false);
    case "refused":
      return make("CONNECTION_REFUSED", `${where} refused the connection; check that sshd runs there, at this port`);
    case "unreachable":
      return make("CONNECTION_REFUSED", `${where} cannot be reached over the network; check its address and routes`);
    case "timeout":
      return make(
        "TIMEOUT",
        `${where} did not answer within ${timeoutMs / 1000} s; check that it is up and no firewall is between`,
      );
    case "denied":
      return make("AUTH_FAILED", denied(context), false);
    case "algorithms":
      return make("PROTOCOL", `${where} and this side have no method in common${said}; update the older one`, false);
    case "lost":
      break;
  }
  return make("CONNECTION_LOST", `the connection to ${where} was closed${said}; run again`);
}

function denied({ host, user, offered }: SshContext): string {
  const account = user === undefined ? host : `${user}@${host}`;
  return `${account} does not accept ${offered}; add the public key to ~/.ssh/authorized_keys there`;
}

/** What a program wrote, safe to print: the last lines, with no control characters. */
export function oneLine(text: string): string {
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.replace(/\p{Cc}+/gu, " ").trim())
    .filter((line) => line !== "");
  return lines.slice(-3).join("; ").slice(-300);
}
