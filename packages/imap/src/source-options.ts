import { BackupError, type PluginOptions } from "@backup/core";
import { ACCOUNT_OPTIONS, type AccountArguments, checkAccount } from "./account-options.js";
import type { Foreign } from "./namespaces.js";

/** An account that is read, and which of its folders count. */
export interface SourceArguments extends AccountArguments {
  readonly folder: readonly string[];
  readonly excludeFolder: readonly string[];
  readonly namespace: readonly string[];
}

export const SOURCE_OPTIONS = {
  ...ACCOUNT_OPTIONS,
  "exclude-folder": { type: "string", array: true, describe: "Not the folders that match this glob; repeatable" },
  namespace: {
    type: "string",
    array: true,
    describe: "Folders of others too: other (of other users), shared, or other,shared; default: your own alone",
  },
} as const satisfies PluginOptions;

/** @throws BackupError USAGE */
export function checkSource(args: SourceArguments): void {
  checkAccount(args);
  foreignOf(args.namespace);
}

/** Whose folders are asked for besides one's own. @throws BackupError USAGE */
export function foreignOf(texts: readonly string[]): readonly Foreign[] {
  return texts
    .flatMap((text) => text.split(","))
    .map((name) => {
      if (name === "other" || name === "shared") return name;
      throw new BackupError("USAGE", `--namespace takes other, shared or other,shared, not '${name}'`);
    });
}
