import type { Notifier } from "@backup/core";

export type Reporter = Notifier;

/** Notifiers of plugins by their names, and their arguments. */
export type NotifierSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** How runs are reported; each may be missing. */
export interface ReportSettings {
  readonly mail?: MailSettings | undefined;
  readonly ping?: PingSettings | undefined;
  /** File for Prometheus' textfile collector. */
  readonly metrics?: string | undefined;
  readonly notifiers?: NotifierSettings | undefined;
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
