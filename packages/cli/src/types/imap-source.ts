import { BackupError, type Source } from "@backup/core";
import type { Foreign, MailItem, WatchedFolders } from "@backup/imap";
import type { ActionContext } from "../action.js";
import { plugins } from "../plugins.js";
import type { ActionOption } from "./action-type.js";
import { ACCOUNT_OPTIONS, type AccountArguments, accountContext, checkAccount } from "./imap-account.js";

/** An account that is read, and which of its folders count. */
export interface SourceArguments extends AccountArguments {
  readonly excludeFolder: readonly string[];
  readonly namespace: readonly string[];
}

const NONE: string[] = [];

export const SOURCE_OPTIONS = {
  ...ACCOUNT_OPTIONS,
  "exclude-folder": {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Not the folders that match this glob; repeatable",
  },
  namespace: {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Folders of others too: other (of other users), shared, or other,shared; default: your own alone",
  },
} as const satisfies Record<string, ActionOption>;

/** @throws BackupError USAGE */
export function checkSource(args: SourceArguments): void {
  checkAccount(args);
  namespacesOf(args.namespace);
}

/**
 * The account, which is connected to when it is used.
 * @param watch what its `changes` are to tell of
 */
export async function openSource(
  args: SourceArguments,
  context: Pick<ActionContext, "onEvent" | "debug" | "secrets">,
  watch?: WatchedFolders,
): Promise<Source<MailItem>> {
  const { user, server, tlsCa, timeout, connections } = args;
  const namespaces = namespacesOf(args.namespace);
  const filter = { include: args.folder, exclude: args.excludeFolder, namespaces };
  const plugin = await plugins.load("imap");
  return await plugin.create(
    { user, server, tlsCa, filter, timeoutMs: timeout * 1000, connections, watch },
    accountContext(args, context),
  );
}

/** @throws BackupError USAGE */
function namespacesOf(texts: readonly string[]): readonly Foreign[] {
  return texts
    .flatMap((text) => text.split(","))
    .map((name) => {
      if (name === "other" || name === "shared") return name;
      throw new BackupError("USAGE", `--namespace takes other, shared or other,shared, not '${name}'`);
    });
}
