import { type RestoreRequest, type Unavailable, isBackupError, isUnavailable } from "@backup/core";
import type { Connections } from "./connections.js";
import type { FolderName } from "./folder-names.js";
import { listFolders } from "./list-folders.js";
import { type Namespace, namespacesOf } from "./namespaces.js";
import { compareFolder } from "./restore-compare.js";
import { type Destination, makeFolder } from "./restore-folders.js";
import type { RestoreLedger } from "./restore-ledger.js";
import { targetNames } from "./restore-names.js";
import type { Portion } from "./restore-portions.js";
import { type Selected, type Selection, selectFolders } from "./restore-selection.js";
import type { ImapSession } from "./session.js";

export interface RestoreScope extends Selection {
  /** The folder below which every other one is put; empty: none. */
  readonly below: FolderName;
}

/** What of a backup an account has, and what not. */
export interface RestoreSurvey {
  /** Folders that are restored. */
  readonly collections: number;
  /** Messages of the backup, of what was asked for. */
  readonly items: number;
  readonly present: number;
  readonly missing: readonly Portion[];
}

/** Compares a backup with an account, and makes the folders that the account lacks, unless it is a dry run. */
export async function surveyRestore(
  connections: Connections,
  scope: RestoreScope,
  { request, ledger }: { readonly request: RestoreRequest; readonly ledger: RestoreLedger },
): Promise<RestoreSurvey> {
  const { dryRun, signal, onEvent } = request;
  const selected = await selectFolders(request, scope, ledger);
  const account = await connections.use(signal, (session) => readAccount(session, signal));
  for (const { error } of account.unavailable)
    onEvent({ type: "warning", code: error.code, message: `of the account: ${error.message}` });
  const planned = destinationsOf(selected, account, scope);
  for (const { stored, folder, isChanged } of planned)
    if (isChanged)
      onEvent({
        type: "warning",
        code: "FOLDER_RENAMED",
        message: `folder ${stored.name} is called ${folder.mailbox} at the server, where names cannot be as in the backup`,
      });
  const made = dryRun ? planned : await makeAll(connections, { planned, account, request, ledger });
  let present = 0;
  const compare = async (destination: Destination): Promise<Portion | undefined> => {
    try {
      const compared = await compareOne(connections, destination, request);
      present += destination.stored.messages.length - compared.messages.length;
      ledger.plan(compared);
      return compared;
    } catch (error) {
      if (!isBackupError(error, "COLLECTION_UNAVAILABLE")) throw error;
      ledger.unavailable(destination.stored.name, error, destination.stored.messages);
      return undefined;
    }
  };
  const missing = (await Promise.all(made.map(compare))).filter((portion) => portion !== undefined);
  for (const { destination, messages } of missing) {
    const { stored, folder } = destination;
    const items = stored.messages.length;
    const counts = { items, present: items - messages.length, missing: messages.length };
    onEvent({ type: "restoring", name: stored.name, target: folder.mailbox, ...counts });
  }
  const items = selected.folders.reduce((sum, { messages }) => sum + messages.length, 0);
  return { collections: selected.folders.length, items, present, missing };
}

async function compareOne(
  connections: Connections,
  destination: Destination,
  { store, dryRun, signal }: RestoreRequest,
): Promise<Portion> {
  const { stored, folder, isThere } = destination;
  if (!isThere) return { destination, messages: stored.messages, takes: () => true };
  const options = { store, write: !dryRun, signal };
  const { missing, takes } = await connections.use(signal, (session) =>
    compareFolder(session, folder, stored.messages, options),
  );
  return { destination, messages: missing, takes };
}

interface Account {
  /** Names of the folders that can be opened. */
  readonly mailboxes: ReadonlySet<string>;
  readonly namespace: Namespace;
  readonly unavailable: readonly Unavailable[];
}

async function readAccount(session: ImapSession, signal: AbortSignal): Promise<Account> {
  const { folders, unavailable } = await listFolders(session, { include: [], exclude: [], namespaces: [] }, signal);
  const [personal] = namespacesOf(await session.client(signal));
  const namespace = personal ?? { kind: "personal", prefix: "", delimiter: "/" };
  return { mailboxes: new Set(folders.map(({ mailbox }) => mailbox)), namespace, unavailable };
}

interface PlannedDestination extends Destination {
  readonly isChanged: boolean;
}

function destinationsOf(
  { folders, all }: Selected,
  { mailboxes, namespace }: Account,
  { below }: RestoreScope,
): readonly PlannedDestination[] {
  const names = targetNames([...all.values()], namespace, { below, existing: [...mailboxes] });
  const byPath = new Map([...all.keys()].map((path, index) => [path, names[index]]));
  return folders.flatMap((stored) => {
    const { path, name } = stored;
    const target = byPath.get(path);
    if (!target) return [];
    const { mailbox, isChanged } = target;
    return [{ stored, folder: { path, name, mailbox }, isThere: mailboxes.has(mailbox), isChanged }];
  });
}

/** Parents before what is in them, and of each depth several at once. */
async function makeAll(
  connections: Connections,
  {
    planned,
    account: { namespace },
    request: { signal, onEvent },
    ledger,
  }: {
    readonly planned: readonly Destination[];
    readonly account: Account;
    readonly request: RestoreRequest;
    readonly ledger: RestoreLedger;
  },
): Promise<readonly Destination[]> {
  const { delimiter } = namespace;
  const taken = new Set(planned.map(({ folder }) => folder.mailbox));
  const options = { delimiter, taken, signal, onEvent };
  const make = (destination: Destination): Promise<Destination | Unavailable> =>
    connections.use(signal, (session) => makeFolder(session, destination, options));
  const depthOf = ({ folder }: Destination): number =>
    delimiter === null ? 1 : folder.mailbox.split(delimiter).length;
  const lacking = planned.filter(({ isThere }) => !isThere);
  const made: Destination[] = planned.filter(({ isThere }) => isThere);
  for (const depth of [...new Set(lacking.map(depthOf))].toSorted((a, b) => a - b)) {
    const level = lacking.filter((destination) => depthOf(destination) === depth);
    for (const [index, result] of (await Promise.all(level.map(make))).entries())
      if (isUnavailable(result)) ledger.unavailable(result.name, result.error, level[index]?.stored.messages);
      else made.push(result);
  }
  return made;
}
