import { BackupError, type FileTree, type RawPath, type TreeEntry } from "@backup/core";
import type { Complaint, Copied, Copy } from "./copier.js";
import type { Itemized } from "./itemized.js";
import { shown } from "./raw-path.js";
import { type Totals, noTotals } from "./totals.js";
import { Uncarried } from "./uncarried.js";
import { WalkActor, itemOf } from "./walk-actor.js";
import type { WalkRules } from "./walk-rules.js";
import { type Change, type Walk, walkTrees } from "./walk-trees.js";

export interface WalkRun
  extends Pick<Copy, "task" | "files" | "force" | "isAllTold" | "most" | "onItem" | "signal">,
    Pick<Walk, "from" | "to" | "mark" | "only" | "isOnlyMissing" | "onBackup"> {
  readonly rules: WalkRules;
  readonly oneFileSystem: boolean;
  /** See WalkComparison. */
  readonly sizeOnly: boolean;
  readonly isShared: boolean;
  /** What the destination alone has is none of its business. */
  readonly isKept: boolean;
  /** What of the source is not carried, if anything. */
  readonly onUncarried: (message: string) => void;
}

/** Goes over two trees once, and does what it finds. */
export async function runWalk(run: WalkRun): Promise<Copied> {
  const {
    from,
    to,
    task,
    files,
    force = false,
    isAllTold = false,
    most = Number.POSITIVE_INFINITY,
    only,
    signal,
  } = run;
  const complaints: Complaint[] = [];
  const onComplaint = (complaint: Complaint): void => void complaints.push(complaint);
  const isPartial = (): boolean => complaints.some(({ kind }) => kind !== "vanished");
  const onItem = oneByOne(run.onItem);
  const isGoneTold = task !== "transfer" && !run.isKept;
  const options = { isGoneTold, isAllTold, onComplaint };
  let totals = noTotals();
  let isLimited = false;
  if (task === "compare" || !to) {
    totals = await walk(run, { ...options, onChange: (change) => onItem(itemOf(change)) });
  } else {
    const { lanes } = await to.facts(signal);
    const isTopKept = only !== undefined;
    const actor = new WalkActor({ from, to, force, lanes, isTopKept, onItem, onComplaint, signal });
    if (task === "delete") {
      const gone: Change[] = [];
      const onChange = async (change: Change): Promise<void> => {
        if (change.action === "delete") gone.push(change);
      };
      totals = await walk(run, { ...options, onChange });
      isLimited = gone.length > most;
      // Where something could not be read, nothing is known to be gone.
      if (!isLimited && !isPartial()) await actor.remove(gone);
    } else if (files) await sendAgain(files, actor, { from, onComplaint, signal });
    else totals = await walk(run, { ...options, onChange: actor.change });
    await actor.finish();
  }
  return { end: isLimited ? "limited" : isPartial() ? "partial" : "done", complaints, totals };
}

async function walk(
  run: WalkRun,
  options: Pick<Walk, "isGoneTold" | "isAllTold" | "onChange" | "onComplaint">,
): Promise<Totals> {
  const { from, to, oneFileSystem, sizeOnly, isShared, onUncarried, signal } = run;
  const source = await from.facts(signal);
  const there = (await to?.facts(signal)) ?? source;
  const top = await from.entry("", signal);
  const uncarried = top && new Uncarried(there, top);
  const totals = await walkTrees({
    ...run,
    ...options,
    comparison: {
      sizeOnly,
      wholeSeconds: source.wholeSeconds || there.wholeSeconds,
      linkTimes: there.linkTimes,
      isShared,
    },
    oneFileSystem: oneFileSystem && checked(top),
    isText: !source.rawNames || !there.rawNames,
    lanes: Math.min(source.lanes, there.lanes),
    onSeen: (entry) => uncarried?.count(entry),
  });
  const message = uncarried?.message();
  if (message !== undefined) onUncarried(message);
  return totals;
}

/** Sends files whatever there is. */
async function sendAgain(
  paths: readonly RawPath[],
  actor: WalkActor,
  { from, onComplaint, signal }: Pick<Walk, "onComplaint" | "signal"> & { readonly from: FileTree },
): Promise<void> {
  for (const path of paths) {
    const entry = await from.entry(path, signal);
    const slash = path.lastIndexOf("/");
    const parent = await from.entry(slash < 0 ? "" : path.slice(0, slash), signal);
    if (entry?.type !== "file" || !parent) onComplaint({ kind: "vanished", text: `file vanished: "${shown(path)}"` });
    else await actor.change({ action: "transfer", isNew: false, entry, there: undefined, parent });
  }
}

/** @throws BackupError USAGE */
function checked(top: TreeEntry | undefined): true {
  if (top?.device !== undefined) return true;
  throw new BackupError("USAGE", "SFTP does not tell file systems apart: --one-file-system takes rsync at the source");
}

/** Whoever is told of one entry is done with it before the next. */
function oneByOne(onItem: Copy["onItem"]): (item: Itemized) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return (item) => {
    last = last.then(() => onItem(item));
    return last;
  };
}
