import { BackupError, type Secret, scrub, scrubbedError, systemCode } from "@backup/core";
import { ENDLESS } from "./answer-limit.js";
import { NO_GREETING } from "./expect-greeting.js";
import { type Server, formatServer } from "./server.js";

/** What an error of imapflow may tell; see its `ImapFlowError`. */
interface Details {
  readonly authenticationFailed?: boolean;
  readonly tlsFailed?: boolean;
  /** In brackets before the text, upper case. */
  readonly serverResponseCode?: unknown;
  readonly responseText?: unknown;
  readonly response?: unknown;
  /** Of a BYE. */
  readonly reason?: unknown;
}

function detailsOf(error: unknown): Details {
  return error instanceof Error ? (error as Details & Error) : {};
}

export interface Place {
  readonly server: Server;
  readonly user: string;
  readonly secret: Secret | readonly Secret[];
  /** What to check when the login is refused; by default the password. */
  readonly advice?: string | undefined;
  /** What the login needs the server to offer. */
  readonly means?: string | undefined;
}

const UNTRUSTED: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "is signed by an authority that this machine does not know",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "is signed by an authority that this machine does not know",
  UNABLE_TO_GET_ISSUER_CERT: "is signed by an authority that this machine does not know",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "is signed by an authority that this machine does not know",
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not valid yet",
  CERT_REVOKED: "was revoked",
  CERT_UNTRUSTED: "is not trusted",
  CERT_SIGNATURE_FAILURE: "has a wrong signature",
  ERR_TLS_CERT_ALTNAME_INVALID: "is for another host name",
};
const UNREACHABLE = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "EADDRNOTAVAIL"]);
const LOST = new Set([
  "NoConnection",
  "EConnectionClosed",
  "ClosedAfterConnectText",
  "ClosedAfterConnectTLS",
  "ECONNRESET",
  "EPIPE",
  "StateLogout",
]);
/** Answers to a login that do not blame the password (RFC 5530, section 3). */
const BUSY = new Set<unknown>(["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"]);
const SLOW = new Set(["CONNECT_TIMEOUT", "GREETING_TIMEOUT", "UPGRADE_TIMEOUT", "ETIMEOUT", "ETIMEDOUT"]);

/** An error of the connection or the server as one for a person. The password is cut out of whatever a server said. */
export function imapError(error: unknown, place: Place): BackupError {
  if (error instanceof BackupError) return error;
  const { server, user, secret, advice = "check the user name and the password's file", means = "a password" } = place;
  const where = formatServer(server);
  const code = systemCode(error) ?? "";
  const details = detailsOf(error);
  const said = serverText(error, secret);
  const make = (
    ...[kind, message, transient]: [ConstructorParameters<typeof BackupError>[0], string, boolean?]
  ): BackupError => new BackupError(kind, message, { transient, cause: scrubbedError(error, secret) });

  const certificate = UNTRUSTED[code];
  if (certificate !== undefined)
    return make(
      "TLS_UNTRUSTED",
      `the certificate of ${where} ${certificate} (${code}); nothing was sent. ` +
        (code === "CERT_HAS_EXPIRED"
          ? "Its owner must renew it"
          : code === "ERR_TLS_CERT_ALTNAME_INVALID"
            ? "Write the server's name as its certificate has it"
            : "If it is yours, give the authority's certificate with --tls-ca FILE"),
    );
  if (details.authenticationFailed && BUSY.has(details.serverResponseCode))
    return make(
      "CONNECTION_REFUSED",
      `${where} cannot let ${user} in now${said}, which is not about the password; try again later`,
      true,
    );
  if (details.authenticationFailed)
    return make("AUTH_FAILED", `${where} refused the login of ${user}${said}; ${advice}`);
  // What imapflow says when nothing that the server offers fits; it has no code for it.
  if (error instanceof Error && error.message === "Unsupported authentication mechanism")
    return make("PROTOCOL", `${where} offers no login with ${means}; use another kind of login`);
  if (code === "ENOTFOUND") return make("HOST_UNKNOWN", `there is no host named ${server.host}; check the spelling`);
  if (code === "EAI_AGAIN")
    return make("HOST_UNKNOWN", `the name ${server.host} cannot be looked up now; check the network`, true);
  if (UNREACHABLE.has(code))
    return make(
      "CONNECTION_REFUSED",
      `${where} cannot be reached (${code}); check host and port, and that the server runs`,
      true,
    );
  if (SLOW.has(code)) {
    // A port that is for TLS from the start waits for us, as we wait for its greeting.
    const orTls = server.security === "starttls" && code !== "CONNECT_TIMEOUT";
    const hint = orTls ? ", or with imaps:// if this port is for TLS from the start" : "";
    return make("TIMEOUT", `${where} did not answer in time (${code}); try again later${hint}`, true);
  }
  if (code === "EPROTO" || code.startsWith("ERR_SSL"))
    return make(
      "PROTOCOL",
      `${where} does not speak TLS as expected (${code}); ` +
        (server.security === "tls" ? "if it wants STARTTLS, write imap:// instead of imaps://" : "check host and port"),
    );
  if (details.tlsFailed || (error instanceof Error && /STARTTLS/i.test(error.message) && code === ""))
    return make(
      "TLS_REQUIRED",
      `${where} does not offer STARTTLS, and the password is never sent unencrypted; use port 993 if it has it`,
    );
  if (LOST.has(code))
    return make("CONNECTION_LOST", `the connection to ${where} was lost${said}; run again to go on`, true);
  if (code === ENDLESS)
    return make("PROTOCOL", `${where} sent an answer without end, which was broken off; try again later`, true);
  if (code === NO_GREETING)
    return make("PROTOCOL", `${where} does not greet as an IMAP server does${said}; check host and port`, true);
  return make(
    "PROTOCOL",
    `${where} answered what makes no sense here${said || ` (${code || nameOf(error)})`}; run with DEBUG=1 for details`,
    true,
  );
}

function serverText(error: unknown, secret: Secret | readonly Secret[]): string {
  const { responseText, response, reason } = detailsOf(error);
  const text = [responseText, response, reason].find((part): part is string => typeof part === "string" && part !== "");
  return text === undefined ? "" : quote(text, secret);
}

/** What a server said, to be put behind a word. */
export function quote(text: string, secret: Secret | readonly Secret[]): string {
  return ` ("${plainText(text, secret)}")`;
}

/** A server is not trusted: no control characters on a terminal, no essay, no secret. */
export function plainText(text: string, secret: Secret | readonly Secret[]): string {
  const plain = scrub(text, secret)
    .replace(/[^\x20-\x7e\u00a0-\uffff]+/g, " ")
    .trim();
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
