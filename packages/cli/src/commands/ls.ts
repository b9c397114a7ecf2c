import { listBackup, readSnapshots } from "@backup/core";
import { LOOKING_OPTIONS, type LookingArguments, checkLookingOptions } from "../looking-options.js";

import { EXIT } from "../exit-code.js";
import { openAny } from "../open-backup.js";
import { type Listing, formatJson, formatOlder, formatProblems, formatTable, isWhole } from "../render/listing.js";
import { rendererFor } from "../render/renderer-for.js";
import { printable } from "../render/text.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

export const lsCommand: Subcommand<LookingArguments> = {
  name: "ls",
  summary: "list what a destination holds, and whether anything is missing: exit status 0 or 3",
  positionals: [{ name: "dest", describe: "Directory here, or [user@]host:dir; only read" }],
  options: LOOKING_OPTIONS,
  examples: [
    ["backup ls nas:mail/alice", "every folder: on the server, here, kept, missing"],
    ["backup ls nas:mail/alice --snapshot 2026-11-01", "of a history: all snapshots, and the folders of that one"],
  ],
  check: checkLookingOptions,
  run: list,
};

async function list(args: LookingArguments, context: CommandContext): Promise<number> {
  const { signal, json } = context;
  const renderer = rendererFor(context);
  await using opened = await openAny(args, { ...context, onEvent: renderer.event.bind(renderer) });
  const { store, backup, history, plugin } = opened;
  const looked = { ...opened, signal };
  const collections = await (plugin.kind === "mirror"
    ? plugin.list(looked)
    : listBackup({ ...looked, layout: await plugin.layout() }));
  const snapshots = history ? await readSnapshots(history.store, history.days, signal) : [];
  const listing = {
    ...backup,
    destination: store.name,
    // As whoever compares the two names it.
    origin: plugin.kind === "source" ? plugin.verifyAgainst?.by.name : undefined,
    collections,
    history: history && { day: history.day, snapshots },
  };
  process.stdout.write(json ? formatJson(listing) : format(listing, context));
  return isWhole(listing) ? EXIT.done : EXIT.partial;
}

/** Quiet leaves what is wrong. */
function format(listing: Listing, { quiet, verbose }: CommandContext): string {
  const problems = formatProblems(listing, { isVerbose: verbose });
  const notes = [...problems, ...formatOlder(listing)];
  const lines = quiet ? problems : [...formatTable(listing), ...(notes.length > 0 ? ["", ...notes] : [])];
  return lines.map((line) => `${printable(line)}\n`).join("");
}
