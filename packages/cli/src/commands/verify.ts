import {
  BackupError,
  type PluginRegistry,
  type Source,
  type Verified,
  camelCase,
  findDifferences,
  isDamagedFile,
  parentOf,
  readBackup,
  verify,
} from "@backup/core";
import { type Counterparts, counterpartsOf } from "../counterparts.js";
import { LOOKING_OPTIONS, type LookingArguments, checkLookingOptions } from "../looking-options.js";
import { EXIT } from "../exit-code.js";
import { type OpenAny, type OpenBackup, openAny } from "../open-backup.js";
import { repairFrom } from "../repair-from.js";
import { rendererFor } from "../render/renderer-for.js";
import type { Renderer } from "../render/renderer.js";
import { printable } from "../render/text.js";
import { type Verification, formatVerification, isGood, verificationJson } from "../render/verification.js";
import { type SampleArguments, readShare } from "../share.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export interface VerifyArguments extends LookingArguments, SampleArguments {
  readonly repair: boolean;
}

/** `backup verify DEST` */
export function verifyCommand(plugins: PluginRegistry): Subcommand<VerifyArguments> {
  const sources = counterpartsOf(plugins, (plugin) => (plugin.kind === "source" ? plugin.verifyAgainst : undefined));
  return {
    name: "verify",
    summary: "read every message of a backup and say whether it is what was stored: exit status 0 or 3",
    positionals: [
      { name: "dest", describe: "Directory here, or [user@]host:dir; only read, unless there is --repair" },
    ],
    options: {
      sample: {
        type: "string",
        requiresArg: true,
        describe: "Read only so much of the messages, chosen at random: 5%",
      },
      repair: {
        type: "boolean",
        default: false,
        describe: "Download again, from that server, what is damaged or missing; removes nothing else",
      },
      ...sources.options,
      ...LOOKING_OPTIONS,
    },
    examples: [["backup verify nas:mail/alice", "are all messages as they were stored?"], ...sources.examples],
    check(args) {
      checkLookingOptions(args);
      readShare(args);
      if (args.repair && args.sample !== undefined)
        throw new BackupError("USAGE", "--repair reads all messages; leave --sample out");
      sources.check(args);
      if (!args.repair || isAsked(args, sources)) return;
      const by = sources.by.map((name) => `--${name}`).join(" or ");
      throw new BackupError("USAGE", `--repair needs ${by}, where the messages are to come from`);
    },
    run: (args, context) => run(args, sources, context),
  };
}

function isAsked(args: VerifyArguments, { by }: Counterparts<Source>): boolean {
  const given = new Map<string, unknown>(Object.entries(args));
  return by.some((name) => given.get(camelCase(name)) !== undefined);
}

async function run(args: VerifyArguments, sources: Counterparts<Source>, context: CommandContext): Promise<number> {
  const { json } = context;
  const renderer = rendererFor(context);
  context.onLeave(() => renderer.close());
  try {
    await using opened = await openAny(args, { ...context, onEvent: renderer.event.bind(renderer) });
    const verification = await verifyAll(args, opened, { context, renderer, sources });
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
  readonly sources: Counterparts<Source>;
}

async function verifyAll(
  args: VerifyArguments,
  whatever: OpenAny,
  { context, renderer, sources }: Means,
): Promise<Verification> {
  const { store, backup, plugin } = whatever;
  const { signal } = context;
  const onEvent = renderer.event.bind(renderer);
  const share = readShare(args);
  // Nothing is read for an answer that cannot be given.
  await using given = await sources.open(args, whatever, { ...context, onEvent });
  await using source = given?.made;
  if (plugin.kind === "mirror") {
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
  if (!source) return { ...about, verified };
  renderer.close();
  const means = { source, store, onEvent, signal };
  if (!args.repair) return { ...about, verified, compared: await findDifferences(means) };
  const { report: repaired, store: whole } = await repairFrom({ ...opened, ...means }, verified.damaged);
  const again = await verifyAgain({ ...opened, store: whole }, verified, { signal, renderer });
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
async function verifyAgain(
  opened: OpenBackup,
  before: Verified,
  { signal, renderer }: { readonly signal: AbortSignal; readonly renderer: Renderer },
): Promise<Verified> {
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
