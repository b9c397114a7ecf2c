import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupError, type EventSink, type Reach, type Store, isBackupError } from "@backup/core";
import {
  type ConnectedBy,
  type RsyncCopied,
  type RsyncCopy,
  retryTransient,
  rsyncCopy,
  syncReach,
} from "@backup/transport-rsync";
import type { Copied, Copier, Copy } from "./copier.js";
import { ITEMIZE } from "./itemized.js";
import { type Look, lookHere, lookThere } from "./look.js";
import { RsyncReader } from "./rsync-copied.js";
import type { RawPath } from "./raw-path.js";
import type { TreeEnd } from "./tree-end.js";
import { type TreeOptions, rsyncOptions, ruleFor } from "./tree-options.js";

/** A run of rsync(1). */
interface Run extends Pick<RsyncCopy, "options" | "files" | "onLine" | "signal"> {
  /** Asked for at every attempt: the connection may have been made anew. */
  readonly to: () => Promise<Reach>;
}

export interface TreeCopierOptions extends TreeOptions {
  readonly source: TreeEnd;
  /** As RsyncCopy.connectedBy. */
  readonly connectedBy?: ConnectedBy | undefined;
}

/** How often a lost connection is made anew in one run of rsync(1). */
const RETRIES = 3;

/** Runs rsync(1) from a tree, always with the options of that tree. */
export class TreeCopier implements Copier {
  readonly #options: TreeCopierOptions;
  /** Of `A` and `X`, what an end does not know. */
  readonly #without = new Set<string>();
  /** What is marked as left out, while a run goes on. */
  #marks: readonly string[] = [];

  constructor(options: TreeCopierOptions) {
    this.#options = options;
  }

  /** Both ends of a run go by what is marked when it begins. */
  async begin(_token: string | undefined, signal: AbortSignal): Promise<void> {
    const { source, excludeIfPresent } = this.#options;
    if (excludeIfPresent === undefined) return;
    this.#marks = (await source.marked(excludeIfPresent, signal)).map(ruleFor);
  }

  async has(path: RawPath | undefined, signal: AbortSignal): Promise<boolean> {
    const options = ["--dry-run", "--dirs", "--no-recursive", "--no-implied-dirs"];
    const { end } = await withEmpty((to) => {
      const run = { to, options, files: [path ?? "."], onLine: () => {}, signal };
      return retrying(() => this.#run(() => {}, run), signal, RETRIES);
    });
    return end === "done";
  }

  /** Runs rsync(1), and again what is left to do when the connection was lost. */
  async copy(onEvent: EventSink, copy: Copy): Promise<Copied> {
    const { to: store, files = copy.entries, signal } = copy;
    let isFirst = true;
    const attempt = async (to: () => Promise<Reach>): Promise<Copied> => {
      if (!isFirst) copy.onAgain?.();
      isFirst = false;
      const reader = new RsyncReader(copy.onItem);
      const run = { to, options: optionsOf(copy), onLine: reader.line, signal };
      return reader.copied(await this.#run(onEvent, files ? { ...run, files } : run));
    };
    const retries = copy.isOnce ? 0 : RETRIES;
    if (store) return retrying(() => attempt(() => reachOf(store, signal)), signal, retries);
    return withEmpty((to) => retrying(() => attempt(to), signal, retries));
  }

  async isCoarse(): Promise<boolean> {
    return false;
  }

  async look(store: Store, signal: AbortSignal): Promise<Look> {
    const { local } = this.#options.source;
    if (local !== undefined) return lookHere(local, "source");
    const { shell, directory } = await reachOf(store, signal);
    if (!shell) return lookHere(directory, "destination");
    return lookThere(async () => {
      const reach = await reachOf(store, signal);
      return { directory: reach.directory, shell: reach.shell ?? shell };
    });
  }

  async finish(store: Store, signal: AbortSignal): Promise<void> {
    await syncReach(await reachOf(store, signal), signal);
  }

  async #run(onEvent: EventSink, run: Run): Promise<RsyncCopied> {
    const from = await this.#options.source.reach(run.signal);
    const to = await run.to();
    const { connectedBy } = this.#options;
    const options = [...rsyncOptions(this.#options, this.#without), ...run.options];
    try {
      return await rsyncCopy({ ...run, from, to, connectedBy, options, without: this.#marks });
    } catch (error) {
      if (!isBackupError(error)) throw error;
      const letter = unknownAttributes(error);
      if (letter === undefined || this.#without.has(letter)) throw error;
      this.#without.add(letter);
      const what = letter === "A" ? "ACLs" : "extended attributes";
      const message = `one of the two ends knows no ${what}: those are not copied`;
      onEvent({ type: "warning", code: "ATTRIBUTES_LEFT_OUT", message });
      return this.#run(onEvent, run);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Options of rsync(1) beside those of the tree. */
function optionsOf({ task, isAllTold, force, most, scratch, beside = [] }: Copy): readonly string[] {
  if (task === "compare") return ["--dry-run", "--delete", "--stats", ...ITEMIZE];
  if (task === "delete") {
    // Without --ignore-existing, with which it would delete what a link points to that is in the place of a directory.
    return ["--delete", "--existing", ...(most === undefined ? [] : [`--max-delete=${most}`]), ...ITEMIZE];
  }
  return [
    ...ITEMIZE,
    ...(isAllTold ? ["--itemize-changes", "--itemize-changes"] : []),
    ...(scratch === undefined ? [] : [`--temp-dir=${scratch}`]),
    ...beside.map((directory) => `--link-dest=${directory}`),
    ...(force ? ["--force"] : []),
  ];
}

function retrying<T>(work: () => Promise<T>, signal: AbortSignal, retries: number): Promise<T> {
  return retryTransient(work, { signal, retries });
}

/** How rsync(1) gets to a destination. @throws BackupError TRANSPORT_MISSING */
export async function reachOf(store: Store, signal: AbortSignal): Promise<Reach> {
  const reach = await store.reach?.(signal);
  if (reach) return reach;
  throw notReached(store);
}

export function notReached({ name }: Store): BackupError {
  return new BackupError("TRANSPORT_MISSING", `rsync is missing here or there, or does not reach ${name}`);
}

/** What an rsync(1) that was built without something says of it. */
function unknownAttributes({ cause }: BackupError): string | undefined {
  const said = cause instanceof Error ? cause.message : "";
  if (/ACLs are not supported/i.test(said)) return "A";
  return /(?:extended attributes|xattrs) are not supported/i.test(said) ? "X" : undefined;
}

/** Gives work an empty directory here. */
async function withEmpty<T>(work: (to: () => Promise<Reach>) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "backup-empty-"));
  try {
    return await work(async () => ({ directory }));
  } finally {
    await rmdir(directory);
  }
}
