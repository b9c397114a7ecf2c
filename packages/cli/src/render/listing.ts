import { type Backup, type Day, type Inventory, type Listed, type Snapshot, formatDay } from "@backup/core";
import { formatSnapshots, snapshotJson } from "./snapshots.js";
import { align, formatTime } from "./table.js";
import { formatBytes, formatCount, jsonLine } from "./text.js";

/** A backup as `backup ls` shows it. */
export interface Listing extends Backup {
  readonly destination: string;
  /** What its source is called: `server`. Default: source. */
  readonly origin?: string | undefined;
  readonly collections: readonly Listed[];
  /** Undefined: it is a mirror. */
  readonly history?: ListedHistory | undefined;
}

export interface ListedHistory {
  /** The snapshot whose collections these are. */
  readonly day: Day;
  /** All of them, the oldest first. */
  readonly snapshots: readonly Snapshot[];
}

/** Ids in a line, unless all are asked for. */
const SHOWN = 12;
const REPAIR =
  "The next run puts that right; one with --full, where it was only the bytes of a file that changed. A run that is under way now may be all of it.";
const NUMBER = new Intl.NumberFormat("en");

/** Whether nothing is known to be missing: what the last run found and left, and what is here now. */
export function isWhole({ inventory, collections }: Listing): boolean {
  return (
    inventory?.result === "done" &&
    inventory.collections.every(({ gaps }) => gaps.length === 0) &&
    !collections.some(({ isDifferent }) => isDifferent)
  );
}

/** One object, on a line. */
export function formatJson(listing: Listing): string {
  const { destination, source, inventory, collections, history } = listing;
  return jsonLine({
    type: "listing",
    destination,
    ...(history ? { snapshot: formatDay(history.day), snapshots: history.snapshots.map(snapshotJson) } : {}),
    source,
    whole: isWhole(listing),
    report: inventory ? head(inventory) : null,
    collections: collections.map(({ path, name, now, newest: time, isDifferent, holding }) => {
      const newest = time === undefined ? null : new Date(time).toISOString();
      if (!holding) return { path, name, now, newest, different: isDifferent, report: null };
      const { at, items, files, bytes, digest, gaps, kept } = holding;
      return {
        path,
        name,
        now,
        newest,
        different: isDifferent,
        report: { at, items, files, bytes, digest, gaps, kept },
      };
    }),
  });
}

function head({
  finished,
  seconds,
  result,
  complete,
  unlisted,
}: Inventory): Omit<Inventory, "format" | "source" | "collections"> {
  return { finished, seconds, result, complete, unlisted };
}

/** When it was backed up, and a row for each folder. */
export function formatTable(listing: Listing): readonly string[] {
  const { destination, source, origin = "source", collections, history } = listing;
  const rows = collections.map(({ name, holding, now, newest }) => [
    holding ? NUMBER.format(holding.items) : "?",
    NUMBER.format(now.files),
    formatBytes(now.bytes),
    holding ? NUMBER.format(holding.kept) : "?",
    holding ? NUMBER.format(holding.gaps.length) : "?",
    newest === undefined ? "" : new Date(newest).toISOString().slice(0, 10),
    name,
  ]);
  const header = [origin, "here", "size", "kept", "missing", "newest", "folder"];
  const above = history ? [...formatSnapshots(history.snapshots), ""] : [];
  const title = `${destination}: ${source}, ${formatRun(listing)}`;
  return [...above, title, "", ...align([header, ...rows, totalOf(collections)])];
}

function totalOf(collections: readonly Listed[]): readonly string[] {
  const sum = (numberOf: (listed: Listed) => number): number =>
    collections.reduce((total, each) => total + numberOf(each), 0);
  const numbers = [sum(({ holding }) => holding?.items ?? 0), sum(({ now }) => now.files)];
  const more = [sum(({ holding }) => holding?.kept ?? 0), sum(({ holding }) => holding?.gaps.length ?? 0)];
  return [
    ...numbers.map((number) => NUMBER.format(number)),
    formatBytes(sum(({ now }) => now.bytes)),
    ...more.map((number) => NUMBER.format(number)),
    "",
    formatCount(collections.length, "folder"),
  ];
}

function formatRun({ inventory }: Listing): string {
  if (!inventory) return "no report of a run";
  const { result, finished, complete } = inventory;
  if (result === "done") return `all done at ${formatTime(finished)}`;
  const before = complete === null ? "there was no complete run yet" : `complete at ${formatTime(complete)}`;
  return `PARTLY done at ${formatTime(finished)}; ${before}`;
}

/** What is missing, different or unknown, a line each. */
export function formatProblems(
  { destination, inventory, collections }: Listing,
  { isVerbose }: { readonly isVerbose: boolean },
): readonly string[] {
  if (!inventory)
    return [
      `${destination}: no run has ended there yet, or its report cannot be read: nothing says whether this is all; run the backup again`,
    ];
  const lost = collections.flatMap(({ name, holding }) => {
    const gaps = holding?.gaps ?? [];
    return gaps.length > 0 ? [`${name}: missing: ${formatIds(gaps, isVerbose ? gaps.length : SHOWN)}`] : [];
  });
  const unlisted = inventory.unlisted.map((name) => `${name}: could not be listed by the last run`);
  const changed = collections.flatMap(formatDifference);
  const problems = [...lost, ...unlisted, ...changed, ...(changed.length > 0 ? [REPAIR] : [])];
  if (problems.length > 0 || inventory.result === "done") return problems;
  return [`${destination}: something could not be had by the last run, whose messages name it`];
}

/** What the last run did not look at. */
export function formatOlder({ inventory, collections }: Listing): readonly string[] {
  if (!inventory) return [];
  const older = collections.filter(
    ({ name, holding }) => holding && holding.at !== inventory.finished && !inventory.unlisted.includes(name),
  );
  return older.map(({ name, holding }) => `${name}: not part of the last run; as of ${formatTime(holding?.at ?? "")}`);
}

function formatDifference({ name, holding, now, isDifferent }: Listed): readonly string[] {
  if (!isDifferent) return [];
  const here = `${formatCount(now.files, "file")} (${formatBytes(now.bytes)}) here`;
  if (!holding) return [`${name}: changed since the last run: ${here}, and it left none`];
  const same = now.files === holding.files && now.bytes === holding.bytes;
  const before = same
    ? "as it left, but not the same ones"
    : `and it left ${NUMBER.format(holding.files)} (${formatBytes(holding.bytes)})`;
  return [`${name}: changed since the last run: ${here}, ${before}`];
}

function formatIds(ids: readonly string[], shown: number): string {
  const more = ids.length - shown;
  return `${ids.slice(0, shown).join(", ")}${more > 0 ? ` and ${NUMBER.format(more)} more` : ""}`;
}
