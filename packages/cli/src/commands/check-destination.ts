import { BackupError, type Description, type Store } from "@backup/core";
import type { DestinationArguments } from "../destinations.js";
import { openDestination } from "../destination.js";
import { EXIT } from "../exit-code.js";
import { formatBytes, jsonLine, printable } from "../render/text.js";
import { rendererFor } from "../render/renderer-for.js";
import type { CommandContext, Subcommand } from "./subcommand.js";

const PROBE = ".backup/check";

/** Clocks may be so far apart, milliseconds: those of directories tell whole seconds. */
const SKEW_MS = 2000;

export const checkDestinationCommand: Subcommand<DestinationArguments> = {
  name: "check-destination",
  summary: "connect to a destination and say what it can do",
  positionals: [{ name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" }],
  options: {},
  examples: [["backup check-destination nas:mail/alice", "can it be reached, and what can it do?"]],
  run: check,
};

async function check(args: DestinationArguments, context: CommandContext): Promise<number> {
  const { signal, json } = context;
  const renderer = rendererFor(context);
  const onEvent = renderer.event.bind(renderer);
  await using store = await openDestination(args, { ...context, onEvent });
  await using lease = await store.lease(signal);
  const both = AbortSignal.any([signal, lease.lost]);
  const description = await store.describe(both);
  await tryOut(store, both);
  const text = json
    ? jsonLine({ type: "destination", destination: store.name, ...description })
    : `${format(store.name, description).map(printable).join("\n")}\n`;
  process.stdout.write(text);
  return EXIT.done;
}

/** Writes, reads and removes a small file. */
async function tryOut(store: Store, signal: AbortSignal): Promise<void> {
  const bytes = Buffer.from(`backup was here at ${new Date().toISOString()}\n`);
  await store.write(PROBE, bytes, signal);
  const back = await store.read(PROBE, signal);
  await store.remove([PROBE], signal);
  if (!bytes.equals(back))
    throw new BackupError(
      "DESTINATION_UNWRITABLE",
      `${store.name} gave other bytes back than were written; do not use it`,
    );
}

function format(name: string, description: Description): readonly string[] {
  const { transport, rename, link, fsync, colon, freeBytes, clockSkewMs } = description;
  const rows: readonly (readonly [string, string])[] = [
    ["reached by", transport],
    ["rename", rename ? "yes: a changed flag is a rename" : "no: what is renamed is sent again"],
    ["hard links", link ? "yes: copies cost nothing" : "no: copies are stored again"],
    [
      "fsync",
      fsync ? "yes: files are on its disk before a run counts on them" : "no: a power failure may cost new files",
    ],
    ["colon in names", colon ? "yes" : "no: file names get ; instead"],
    ["free space", freeBytes === undefined ? "cannot tell" : formatBytes(freeBytes)],
    ["clock", formatSkew(clockSkewMs)],
    ["probe file", "written, read and removed"],
  ];
  return [`${name}: ready`, ...rows.map(([what, value]) => `  ${what.padEnd(14)}  ${value}`)];
}

function formatSkew(ms: number | undefined): string {
  if (ms === undefined) return "cannot tell";
  if (Math.abs(ms) < SKEW_MS) return "like here";
  return `${Math.abs(Math.round(ms / 1000))} s ${ms > 0 ? "ahead" : "behind"}`;
}
