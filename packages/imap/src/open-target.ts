import { type PluginContext, type Target, readCertificates } from "@backup/core";
import { ImapTarget } from "./imap-target.js";
import { loginWith } from "./login-with.js";
import type { RestoreScope } from "./restore-survey.js";
import { parseServer } from "./server.js";

export interface ImapRestoreOptions extends RestoreScope {
  /** The logon name, usually the mail address. */
  readonly user: string;
  /** See parseServer. */
  readonly server: string;
  /** File of certificates (PEM) that are trusted besides the system's. */
  readonly tlsCa?: string | undefined;
  /** Longest silence of the server, milliseconds. */
  readonly timeoutMs?: number | undefined;
  readonly connections: number;
}

/** The account that `backup restore imap` names. The secret is found as that of `backup imap`. */
export async function openImapTarget(
  { user, server: text, tlsCa, ...options }: ImapRestoreOptions,
  { onEvent, trace, secret }: PluginContext,
): Promise<Target> {
  const server = parseServer(text);
  const ca = tlsCa === undefined ? undefined : (await readCertificates(tlsCa, "--tls-ca")).join("");
  const found = await secret({ partner: user, extensions: [".oauth2", ".password"] });
  return new ImapTarget({ ...options, server, login: loginWith(found, { user, onEvent }), ca, onEvent, trace });
}
