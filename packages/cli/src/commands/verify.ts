import { BackupError, type Verified, isDamagedFile, parentOf, readBackup, verify } from "@backup/core";
import { LOOKING_OPTIONS, type LookingArguments, checkLookingOptions } from "../looking-options.js";
import { EXIT } from "../exit-code.js";
import { type OpenAny, type OpenBackup, openAny } from "../open-backup.js";
import { rendererFor } from "../render/renderer-for.js";
import type { Renderer } from "../render/renderer.js";
import { printable } from "../render/text.js";
import { type Verification, formatVerification, isGood, verificationJson } from "../render/verification.js";
import { type SampleArguments, readShare } from "../share.js";
import { SOURCE_OPTIONS, checkSource } from "@backup/imap/options";
import { type ServerArguments, accountAt, compareWith, repairFrom } from "../verify-server.js";
import { toOptions } from "../types/to-options.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export interface VerifyArguments extends LookingArguments, SampleArguments, ServerArguments {
  readonly repair: boolean;
  readonly timeout: number;
}

/** `backup verify DEST` */
export const verifyCommand: Subcommand<VerifyArguments> = {
  name: "verify",
  summary: "read every message of a backup and say whether it is what was stored: exit status 0 or 3",
  positionals: [{ name: "dest", describe: "Directory here, or [user@]host:dir; only read, unless there is --repair" }],
  options: {
    sample: { type: "string", requiresArg: true, describe: "Read only so much of the messages, chosen at random: 5%" },
    server: {
      type: "string",
      requiresArg: true,
      describe: "Compare with this server too: host, host:143, imaps://host:port; logs on as the user of the backup",
    },
    user: {
      type: "string",
      requiresArg: true,
      describe: "Logon name at that server, where the backup does not say which",
    },
    repair: {
      type: "boolean",
      default: false,
      describe: "Download again, from that server, what is damaged or missing; removes nothing else",
    },
    ...toOptions(SOURCE_OPTIONS),
    ...LOOKING_OPTIONS,
  },
  examples: [
    ["backup verify nas:mail/alice", "are all messages as they were stored?"],
    ["backup verify nas:mail/alice --server mail.example.org", "and is that all that the server has?"],
    ["backup verify nas:mail/alice --server mail.example.org --repair", "get what is damaged anew"],
  ],
  check(args) {
    checkLookingOptions(args);
    readShare(args);
    const { server, user } = args;
    if (args.repair && args.sample !== undefined)
      throw new BackupError("USAGE", "--repair reads all messages; leave --sample out");
    if (server !== undefined) return checkSource({ ...args, server, user: user ?? "of the backup" });
    if (args.repair) throw new BackupError("USAGE", "--repair needs --server, where the messages are to come from");
    if (user !== undefined) throw new BackupError("USAGE", "--user needs --server, where that user logs on");
  },
  run,
};

async function run(args: VerifyArguments, context: CommandContext): Promise<number> {
  const { json } = context;
  const renderer = rendererFor(context);
  context.onLeave(() => renderer.close());
  try {
    await using opened = await openAny(args, { ...context, onEvent: renderer.event.bind(renderer) });
    const verification = await verifyAll(args, opened, { context, renderer });
    renderer.close();
    process.stdout.write(json ? verificationJson(verification) : format(verification, context));
    return isGood(verification) ? EXIT.done : EXIT.partial;
  } finally {
    renderer.close();
  }
}

interface Means {
  readonly context: CommandContext;
  readonly renderer: Renderer;
}

async function verifyAll(
  args: VerifyArguments,
  whatever: OpenAny,
  { context, renderer }: Means,
): Promise<Verification> {
  const { store, backup, plugin } = whatever;
  const { signal } = context;
  const onEvent = renderer.event.bind(renderer);
  const share = readShare(args);
  if (plugin.kind === "mirror") {
    if (args.server !== undefined)
      throw new BackupError("USAGE", `--server is for backups of mail accounts, and this is ${backup.source}`);
    const about = { destination: store.name, repairable: undefined, source: backup.source, isSample: share < 1 };
    return {
      ...about,
      unit: "file",
      by: "manifest",
      verified: await plugin.verify({ ...whatever, signal, share, onEvent }),
    };
  }
  const opened: OpenBackup = { ...whatever, layout: await plugin.layout() };
  if (args.repair) checkNewest(opened);
  const reads = share < 1 ? (): boolean => Math.random() < share : undefined;
  const verified = await verify({ ...opened, signal, share, reads, onEvent });
  const repairable = isNewest(opened) ? args.dest : undefined;
  const { unit } = opened.layout;
  const about = { destination: store.name, repairable, source: backup.source, isSample: share < 1, unit };
  if (args.server === undefined) return { ...about, verified };
  renderer.close();
  const account = accountAt({ ...args, server: args.server }, opened);
  const means = { store, onEvent, context };
  if (!args.repair) return { ...about, verified, compared: await compareWith(account, means) };
  const { report: repaired, store: whole } = await repairFrom(account, verified.damaged, { ...opened, ...means });
  const again = await verifyAgain({ ...opened, store: whole }, verified, { context, renderer });
  return { ...about, repaired, verified: again };
}

/** @throws BackupError USAGE */
function checkNewest(opened: OpenBackup): void {
  const { store } = opened;
  if (!isNewest(opened))
    throw new BackupError(
      "USAGE",
      `${store.name} is not the newest snapshot, and older ones are never changed; leave --snapshot out to repair`,
    );
}

function isNewest({ history }: OpenBackup): boolean {
  return !history || history.day === history.days.at(-1);
}

/** Reads what was damaged once more; everything else is looked at again without that. */
async function verifyAgain(opened: OpenBackup, before: Verified, { context, renderer }: Means): Promise<Verified> {
  const { signal } = context;
  const { inventory } = await readBackup(opened.store, signal);
  const keyOf = (path: string, id: string): string => `${parentOf(path)}\n${id}`;
  const damaged = before.damaged.filter(isDamagedFile);
  // By id: with other flags a file has another name by now.
  const ids = new Set(damaged.map(({ path = "", item = "" }) => keyOf(path, item)));
  const again = await verify({
    ...opened,
    inventory,
    signal,
    reads: ({ file, identity }) => ids.has(keyOf(file.path, identity.id)),
    onEvent: (event) => (event.type === "progress" ? undefined : renderer.event(event)),
  });
  return { ...again, readFiles: before.readFiles, readBytes: before.readBytes };
}

function format(verification: Verification, { quiet, verbose }: CommandContext): string {
  const lines = formatVerification(verification, { isQuiet: quiet, isVerbose: verbose });
  return lines.map((line) => `${printable(line)}\n`).join("");
}
