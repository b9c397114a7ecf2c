import { type DrillPlace, type PluginContext, type Target, readCertificates } from "@backup/core";
import { imapDrill } from "./imap-drill.js";
import { ImapTarget } from "./imap-target.js";
import { loginWith } from "./login-with.js";
import type { RestoreScope } from "./restore-survey.js";
import { parseServer } from "./server.js";
import type { SessionOptions } from "./session.js";

/** An account that is written to. */
export interface ImapAccountOptions {
  /** The logon name, usually the mail address. */
  readonly user: string;
  /** See parseServer. */
  readonly server: string;
  /** File of certificates (PEM) that are trusted besides the system's. */
  readonly tlsCa?: string | undefined;
  /** Longest silence of the server, milliseconds. */
  readonly timeoutMs?: number | undefined;
}

export interface ImapRestoreOptions extends RestoreScope, ImapAccountOptions {
  readonly connections: number;
}

/** The account that `backup restore imap` names. The secret is found as that of `backup imap`. */
export async function openImapTarget(options: ImapRestoreOptions, context: PluginContext): Promise<Target> {
  const { folders, since, below, connections } = options;
  return new ImapTarget({ ...(await sessionFor(options, context)), folders, since, below, connections });
}

/** The account that `backup drill --server` names, in the same way. */
export async function openImapDrill(options: ImapAccountOptions, context: PluginContext): Promise<DrillPlace> {
  return imapDrill(await sessionFor(options, context));
}

async function sessionFor(
  { user, server: text, tlsCa, timeoutMs }: ImapAccountOptions,
  { onEvent, trace, secret }: PluginContext,
): Promise<SessionOptions> {
  const server = parseServer(text);
  const ca = tlsCa === undefined ? undefined : (await readCertificates(tlsCa, "--tls-ca")).join("");
  const found = await secret({ partner: user, extensions: [".oauth2", ".password"] });
  return { server, login: loginWith(found, { user, onEvent }), ca, timeoutMs, onEvent, trace };
}
