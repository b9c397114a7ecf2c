import { BackupError, checkHome } from "@backup/core";
import { LOOKING_OPTIONS, type LookingArguments, checkLookingOptions } from "../looking-options.js";
import type { Subcommand } from "./subcommand.js";

export interface ExportArguments extends LookingArguments {
  readonly target: string;
  readonly term?: readonly string[] | undefined;
  readonly mbox: boolean;
  readonly eml: boolean;
  readonly zip: boolean;
  readonly folder?: readonly string[] | undefined;
}

export const exportCommand: Subcommand<ExportArguments> = {
  name: "export",
  summary: "write messages of a backup of mail as mbox files, as one file each, or as a zip archive of these",
  positionals: [
    { name: "dest", describe: "Directory here, or [user@]host:dir; only read" },
    { name: "target", describe: "Directory, or zip archive, to make here; an empty directory is taken too" },
    { name: "term", isOptional: true, isMany: true, describe: "Only messages that backup search finds by these" },
  ],
  options: {
    mbox: { type: "boolean", default: false, describe: "One mbox file (mboxrd) for each folder" },
    eml: { type: "boolean", default: false, describe: "One .eml file for each message, in directories as the folders" },
    zip: { type: "boolean", default: false, describe: "One zip archive of .eml files" },
    folder: {
      type: "string",
      array: true,
      requiresArg: true,
      describe: "Only folders whose name matches this glob; repeatable",
    },
    ...LOOKING_OPTIONS,
  },
  examples: [
    ["backup export nas:mail/alice /tmp/alice --mbox", "every folder as an mbox file"],
    [
      "backup export nas:mail/alice invoices.zip --zip --folder 'Archive/**' subject:invoice",
      "some messages as an archive",
    ],
  ],
  check(args) {
    checkLookingOptions(args);
    checkHome({ TARGET: args.target });
    if (args.target === "") throw new BackupError("USAGE", "TARGET is empty; name what to make");
    if ([args.mbox, args.eml, args.zip].filter(Boolean).length !== 1)
      throw new BackupError("USAGE", "give one of --mbox, --eml and --zip: what to write");
  },
  async run(args, context) {
    // Loaded when used: it costs start-up time.
    const { exportBackup } = await import("../look/export-backup.js");
    return exportBackup(args, context);
  },
};
