import { BackupError, drill } from "@backup/core";
import { type DrillPlaceArguments, openDrillPlace } from "../drill-place.js";
import { EXIT } from "../exit-code.js";
import { LOOKING_OPTIONS, type LookingArguments, checkLookingOptions } from "../looking-options.js";
import { openBackup } from "../open-backup.js";
import { type Drilled, drilledJson, formatDrilled, isProven } from "../render/drilled.js";
import { rendererFor } from "../render/renderer-for.js";
import { printable } from "../render/text.js";
import { ACCOUNT_OPTIONS, checkAccount } from "@backup/imap/options";
import { toOptions } from "../types/to-options.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export interface DrillArguments extends LookingArguments, DrillPlaceArguments {
  readonly messages: number;
  readonly timeout: number;
}

const MOST_MESSAGES = 1000;
/** For the folder of the drill to be deleted, after a signal too, milliseconds. */
const REMOVAL_MS = 12_000;

const { srcsecret, "tls-ca": tlsCa, timeout } = toOptions(ACCOUNT_OPTIONS);

/** `backup drill DEST` */
export const drillCommand: Subcommand<DrillArguments> = {
  name: "drill",
  summary: "bring some messages back to a throwaway place and compare every byte: exit status 0 or 3",
  positionals: [{ name: "dest", describe: "Directory here, or [user@]host:dir; only read" }],
  options: {
    messages: {
      type: "number",
      requiresArg: true,
      default: 10,
      describe: "How many, chosen at random from all folders",
    },
    server: {
      type: "string",
      requiresArg: true,
      describe:
        "Restore to a new folder of the account at this server, compare flags and dates too, delete the folder: host, host:143, imaps://host:port; default: to a directory of this machine",
    },
    user: {
      type: "string",
      requiresArg: true,
      describe: "Logon name at that server, where it is another than the backup's",
    },
    srcsecret,
    "tls-ca": tlsCa,
    timeout,
    ...LOOKING_OPTIONS,
  },
  examples: [
    ["backup drill nas:mail/alice", "do ten messages come back as they were stored?"],
    [
      "backup drill nas:mail/alice --messages 50 --server mail.example.org",
      "and does the server take them, with flags and dates?",
    ],
  ],
  check(args) {
    checkLookingOptions(args);
    const { messages, server, user } = args;
    if (!(Number.isInteger(messages) && messages >= 1 && messages <= MOST_MESSAGES))
      throw new BackupError("USAGE", `--messages takes a whole number from 1 to ${MOST_MESSAGES}`);
    if (server !== undefined) return checkAccount({ ...args, server, user: user ?? "of the backup", connections: 1 });
    if (user !== undefined) throw new BackupError("USAGE", "--user needs --server, where that user logs on");
  },
  run,
};

async function run(args: DrillArguments, context: CommandContext): Promise<number> {
  const { signal, json, quiet } = context;
  const renderer = rendererFor(context);
  const onEvent = renderer.event.bind(renderer);
  const inner = { ...context, onEvent };
  await using opened = await openBackup(args, inner);
  const { place, account } = await openDrillPlace(args, opened, inner);
  if (account !== undefined) context.allowToEnd(REMOVAL_MS);
  const report = await drill({ ...opened, place, count: args.messages, signal, onEvent });
  const drilled: Drilled = {
    destination: opened.store.name,
    source: opened.backup.source,
    account,
    ...report,
  };
  const isGood = isProven(report);
  if (json) process.stdout.write(drilledJson(drilled));
  else if (!quiet || !isGood) process.stdout.write(`${printable(formatDrilled(drilled))}\n`);
  return isGood ? EXIT.done : EXIT.partial;
}
