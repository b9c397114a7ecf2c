import { type BackupError, type Secret, scrub, scrubbedError } from "@backup/core";
import { oneLine } from "./one-line.js";
import { type MailServer, formatMailServer } from "./mail-server.js";
import { reportFailed } from "./report-failed.js";

/** What an error of nodemailer may tell. */
interface Details {
  readonly code?: unknown;
  /** The system's, which `code` took the place of. */
  readonly originalCode?: unknown;
  /** What the server said, and its first three digits. */
  readonly response?: unknown;
  readonly responseCode?: unknown;
  readonly command?: unknown;
}

export interface Delivery {
  readonly server: MailServer;
  readonly to: readonly string[];
  readonly password: Secret | undefined;
}

const UNTRUSTED =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_CERT_ALTNAME_INVALID)$/;

/** Why a report could not be mailed, for a person. The password is cut out of whatever the server said. */
export function mailError(error: unknown, delivery: Delivery): BackupError {
  const { server, to, password } = delivery;
  const { why, transient } = reasonOf(error instanceof Error ? (error as Error & Details) : {}, delivery);
  const message = `the report could not be mailed to ${to.join(", ")} by ${formatMailServer(server)}: ${why}`;
  return reportFailed(message, { transient, cause: scrubbedError(error, password) });
}

interface Reason {
  readonly why: string;
  readonly transient: boolean;
}

function reasonOf(details: Details, { server, password }: Delivery): Reason {
  const lasting = (why: string): Reason => ({ why, transient: false });
  const passing = (why: string): Reason => ({ why, transient: true });
  const code = [details.originalCode, details.code].find((one) => typeof one === "string") ?? "";
  const said = typeof details.response === "string" ? oneLine(scrub(details.response, password)) : undefined;

  if (UNTRUSTED.test(code))
    return lasting(`its certificate is not trusted (${code}); a certificate of your own is given with MAIL_TLS_CA`);
  if (said !== undefined && typeof details.responseCode === "number" && details.responseCode < 500)
    return passing(said);
  if (password !== undefined && (details.command === "STARTTLS" || (details.command === "EHLO" && said !== undefined)))
    return lasting("it does not offer STARTTLS, and the password is never sent unencrypted; try smtps://");
  if (said !== undefined)
    return lasting(details.code === "EAUTH" ? `it refused the login of ${server.user}: ${said}` : said);
  if (code === "ENOTFOUND") return lasting("there is no host of that name");
  if (details.code === "EDNS") return passing(`its name cannot be looked up now (${code})`);
  if (code === "EPROTO" || code === "ETLS" || code.startsWith("ERR_SSL"))
    return lasting(`it does not speak TLS as expected (${code}); check the port, and smtp:// or smtps://`);
  if (details.code === "ETIMEDOUT") {
    const hint = server.tls ? "" : ", or wants smtps:// on this port";
    return passing(`it did not answer in time (${code})${hint}`);
  }
  if (details.code === "ESOCKET") return passing(`it cannot be reached (${code})`);
  if (details.code === "ECONNECTION") return passing("the connection was lost");
  return lasting(`it failed (${code || "unknown error"}); DEBUG=1 shows more`);
}
