import type { DrillPlace, Target } from "@backup/core";
import { imapDrill } from "./imap-drill.js";
import { ImapTarget } from "./imap-target.js";
import type { RestoreScope } from "./restore-survey.js";
import { type ImapAccountOptions, type LoginContext, sessionFor } from "./session-for.js";

export interface ImapRestoreOptions extends RestoreScope, ImapAccountOptions {
  readonly connections: number;
}

/** The account that `backup restore imap` names. The secret is found as that of `backup imap`. */
export async function openImapTarget(options: ImapRestoreOptions, context: LoginContext): Promise<Target> {
  const { folders, since, below, connections } = options;
  return new ImapTarget({ ...(await sessionFor(options, context)), folders, since, below, connections });
}

/** The account that `backup drill --server` names, in the same way. */
export async function openImapDrill(options: ImapAccountOptions, context: LoginContext): Promise<DrillPlace> {
  return imapDrill(await sessionFor(options, context));
}
