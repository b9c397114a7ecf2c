import { isAbsolute } from "node:path";
import { BackupError } from "@backup/core";
import type { Command, Hooks } from "../hooks.js";
import { parseMailAddress } from "./mail-address.js";
import { parseHostName } from "./host-name.js";
import { parseMailServer } from "./mail-server.js";
import { type PingNames, pingUrls } from "./ping-urls.js";
import type { MailSettings, PingSettings, ReportSettings } from "./reporter.js";

const PING_NAMES: PingNames = {
  url: "PING_URL",
  start: "PING_START_URL",
  success: "PING_SUCCESS_URL",
  fail: "PING_FAIL_URL",
};

/** What MAIL_TO, PING_URL, METRICS_FILE and their like ask for. @throws BackupError USAGE */
export function reportsFromEnv(env: NodeJS.ProcessEnv): ReportSettings {
  return { mail: mailFromEnv(env), ping: pingFromEnv(env), metrics: valueOf(env, "METRICS_FILE") };
}

/** The programs that BACKUP_BEFORE and BACKUP_AFTER name. @throws BackupError USAGE */
export function hooksFromEnv(env: NodeJS.ProcessEnv): Hooks {
  return { before: programOf(env, "BACKUP_BEFORE"), after: programOf(env, "BACKUP_AFTER") };
}

/** MAIL_TO alone decides whether there is mail. */
function mailFromEnv(env: NodeJS.ProcessEnv): MailSettings | undefined {
  const recipients = valueOf(env, "MAIL_TO");
  if (recipients === undefined) return undefined;
  const to = recipients.split(",").map((text) => text.trim());
  const from = valueOf(env, "MAIL_FROM");
  for (const text of to) parseMailAddress(text, "MAIL_TO");
  if (from !== undefined) parseMailAddress(from, "MAIL_FROM");

  const url = valueOf(env, "MAIL_URL");
  const ssl = switchOf(env, "MAIL_SSL");
  if (url !== undefined) parseMailServer(url, { ssl, setting: "MAIL_URL" });
  const hostname = valueOf(env, "MAIL_HOSTNAME");
  if (hostname !== undefined) parseHostName(hostname, "MAIL_HOSTNAME");

  const when = valueOf(env, "MAIL_ON");
  if (when !== undefined && when !== "always" && when !== "failure")
    throw new BackupError("USAGE", `MAIL_ON takes always or failure, and '${when}' is neither`);
  const passwordFile = fileOf(env, "MAIL_PASSWORD_FILE");
  return { to, from, url, ssl, hostname, when, passwordFile, tlsCa: valueOf(env, "MAIL_TLS_CA") };
}

function pingFromEnv(env: NodeJS.ProcessEnv): PingSettings | undefined {
  const { url, start, success, fail } = PING_NAMES;
  const settings: PingSettings = {
    url: valueOf(env, url),
    start: valueOf(env, start),
    success: valueOf(env, success),
    fail: valueOf(env, fail),
  };
  if (Object.values(settings).every((value) => value === undefined)) return undefined;
  pingUrls(settings, PING_NAMES);
  return settings;
}

function programOf(env: NodeJS.ProcessEnv, name: string): readonly Command[] {
  const program = fileOf(env, name);
  return program === undefined ? [] : [[program]];
}

/** Where a run is started from is left to chance. Not repeated: it may be a password that somebody put there. */
function fileOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = valueOf(env, name);
  if (file !== undefined && !isAbsolute(file))
    throw new BackupError("USAGE", `${name} must be an absolute path; what it holds is none`);
  return file;
}

function switchOf(env: NodeJS.ProcessEnv, name: string): boolean | undefined {
  const text = valueOf(env, name);
  if (text === undefined) return undefined;
  if (/^(?:1|yes|true)$/i.test(text)) return true;
  if (/^(?:0|no|false)$/i.test(text)) return false;
  throw new BackupError("USAGE", `${name} takes 1, yes, true, 0, no or false, and '${text}' is none of them`);
}

/** An empty one is what an unset variable of a script or of a compose file leaves. */
function valueOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === "" ? undefined : text;
}
