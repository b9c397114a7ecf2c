import {
  BackupError,
  type Damage,
  type Differences,
  type EventSink,
  type PluginContext,
  type Report,
  type Source,
  type Store,
  backup,
  backupToHistory,
  findDifferences,
  isDamagedFile,
  localDay,
  within,
} from "@backup/core";
import type { MailItem } from "@backup/imap";
import type { SourceArguments } from "@backup/imap/options";
import { imapPlugin } from "@backup/imap/plugin";
import { parseServer } from "@backup/imap/server";
import type { ActionContext } from "./action.js";
import { contextFor } from "./context-for.js";
import type { OpenBackup } from "./open-backup.js";

/** Options of a command that asks the server of a backup. */
export interface ServerArguments extends Omit<SourceArguments, "user" | "server"> {
  readonly server?: string | undefined;
  readonly user?: string | undefined;
}

export interface ServerMeans {
  readonly store: Store;
  readonly onEvent: EventSink;
  readonly context: Omit<ActionContext, "onEvent">;
}

/**
 * The account that a backup is of, at this server. A backup of `alice` at mail.example.org says the same of itself as
 * one of `alice@mail.example.org` does: then it is taken for the first.
 * @throws BackupError USAGE where the backup is of something else
 */
export function accountAt<Arguments extends { readonly server: string; readonly user?: string | undefined }>(
  args: Arguments,
  { type, backup: { source } }: Pick<OpenBackup, "type" | "backup">,
): Arguments & { readonly user: string } {
  if (type !== "imap")
    throw new BackupError("USAGE", `--server is for backups of mail accounts, and this is ${source}`);
  const address = source.slice(type.length + 1);
  const suffix = `@${parseServer(args.server).host}`;
  const user = args.user ?? (address.endsWith(suffix) ? address.slice(0, -suffix.length) : address);
  return { ...args, user };
}

function openAccount(account: SourceArguments, context: PluginContext): Promise<Source<MailItem>> {
  return imapPlugin.create({ ...account, dest: "", full: true, watch: false, watchFolder: [] }, context);
}

/** Lists all of the account, and says how the backup differs. */
export async function compareWith(
  account: SourceArguments,
  { store, onEvent, context }: ServerMeans,
): Promise<Differences> {
  await using inner = contextFor(account, { ...context, onEvent });
  await using source = await openAccount(account, inner);
  return await findDifferences({ source, store, signal: context.signal, onEvent });
}

/**
 * A run that takes damaged files for missing ones, and deletes nothing. Of a history it makes a new snapshot: those that
 * there are stay as they are.
 * @returns with the store that is repaired
 */
export async function repairFrom(
  account: SourceArguments,
  found: readonly Damage[],
  { store, history, onEvent, context }: ServerMeans & Pick<OpenBackup, "history">,
): Promise<{ readonly report: Report; readonly store: Store }> {
  const damaged = new Set(found.filter(isDamagedFile).map(({ path = "" }) => path));
  await using inner = contextFor(account, { ...context, onEvent });
  await using source = await openAccount(account, inner);
  const options = { source, signal: context.signal, onEvent, damaged, full: true, keepDeleted: true };
  if (!history) return { report: await backup({ ...options, store }), store };
  const day = localDay(new Date());
  const report = await backupToHistory({ ...options, store: history.store, day });
  return { report, store: within(history.store, day) };
}
