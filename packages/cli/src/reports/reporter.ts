import type { SessionResult } from "../result.js";

/** Tells somebody else of a run: by mail, by a request, in a file. */
export interface Reporter {
  /** For messages: `mail to you@example.org`. Never with a secret in it. */
  readonly name: string;
  /** Before the first action. @throws BackupError REPORT_FAILED */
  started?(signal: AbortSignal): Promise<void>;
  /** After the last one. @throws BackupError REPORT_FAILED */
  ended(result: SessionResult, signal: AbortSignal): Promise<void>;
}

/** How runs are reported; each may be missing. */
export interface ReportSettings {
  readonly mail?: MailSettings | undefined;
  readonly ping?: PingSettings | undefined;
  /** File for Prometheus' textfile collector. */
  readonly metrics?: string | undefined;
}

export interface MailSettings {
  /** `you@example.org` or `You <you@example.org>`. */
  readonly to: readonly string[];
  /** Default: backup@ and `hostname`. */
  readonly from?: string | undefined;
  /** smtp://[USER@]HOST[:PORT] or smtps://…; default smtp://localhost. */
  readonly url?: string | undefined;
  /** TLS from the first byte, as smtps has it. */
  readonly ssl?: boolean | undefined;
  /** What this machine calls itself: in EHLO and in the subject. Default: its name. */
  readonly hostname?: string | undefined;
  /** Default always. */
  readonly when?: "always" | "failure" | undefined;
  /** File with the password of `url`'s USER, an absolute path; default /backup/USER.password, /backup/HOST.password. */
  readonly passwordFile?: string | undefined;
  /** File of certificates (PEM) that are trusted besides the usual ones. */
  readonly tlsCa?: string | undefined;
}

/** Addresses that are requested; the three go by healthchecks' convention where only `url` is given. */
export interface PingSettings {
  readonly url?: string | undefined;
  readonly start?: string | undefined;
  readonly success?: string | undefined;
  readonly fail?: string | undefined;
}
