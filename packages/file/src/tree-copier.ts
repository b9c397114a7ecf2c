import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupError, type EventSink, type Reach, type Store, isBackupError } from "@backup/core";
import { type RsyncCopied, type RsyncCopy, retryTransient, rsyncCopy } from "@backup/transport-rsync";
import { MarkFile } from "./mark-file.js";
import type { TreeEnd } from "./tree-end.js";
import { type TreeOptions, rsyncOptions, ruleFor } from "./tree-options.js";

export interface Copy extends Pick<RsyncCopy, "options" | "files" | "onLine" | "signal"> {
  /** Asked for at every attempt: the connection may have been made anew. */
  readonly to: () => Promise<Reach>;
  /** Called before it is run again: what its lines said so far may be said again. */
  readonly onAgain?: () => void;
  /** A lost connection is the end of it: what was begun must not be gone on with. */
  readonly isOnce?: boolean;
}

export interface TreeCopierOptions extends TreeOptions {
  readonly source: TreeEnd;
}

/** How often a lost connection is made anew in one run of rsync(1). */
const RETRIES = 3;

/** Runs rsync(1) from a tree, always with the options of that tree. */
export class TreeCopier implements AsyncDisposable {
  readonly #options: TreeCopierOptions;
  /** Of `A` and `X`, what an end does not know. */
  readonly #without = new Set<string>();
  /** What is marked as left out, while a run goes on. */
  #marks: MarkFile | undefined;

  constructor(options: TreeCopierOptions) {
    this.#options = options;
  }

  /** Both ends of a run go by what is marked when it begins. */
  async findMarks(signal: AbortSignal): Promise<void> {
    const { source, excludeIfPresent } = this.#options;
    if (excludeIfPresent === undefined) return;
    const marked = await source.marked(excludeIfPresent, signal);
    await this.#marks?.[Symbol.asyncDispose]();
    this.#marks = await MarkFile.write(marked.map(ruleFor));
  }

  /** Runs rsync(1), and again what is left to do when the connection was lost. */
  copy(onEvent: EventSink, copy: Copy): Promise<RsyncCopied> {
    let isFirst = true;
    const attempt = (): Promise<RsyncCopied> => {
      if (!isFirst) copy.onAgain?.();
      isFirst = false;
      return this.#copyOnce(onEvent, copy);
    };
    return retryTransient(attempt, { signal: copy.signal, retries: copy.isOnce ? 0 : RETRIES });
  }

  async #copyOnce(onEvent: EventSink, copy: Copy): Promise<RsyncCopied> {
    const from = await this.#options.source.reach(copy.signal);
    const to = await copy.to();
    if (from.shell && to.shell)
      throw new BackupError(
        "USAGE",
        "the source and the destination are both on other hosts; one of them has to be here",
      );
    const findings = { without: this.#without, excludeFrom: this.#marks?.path };
    const options = [...rsyncOptions(this.#options, findings), ...copy.options];
    try {
      return await rsyncCopy({ ...copy, from, to, options });
    } catch (error) {
      if (!isBackupError(error)) throw error;
      const letter = unknownAttributes(error);
      if (letter === undefined || this.#without.has(letter)) throw error;
      this.#without.add(letter);
      const what = letter === "A" ? "ACLs" : "extended attributes";
      const message = `one of the two ends knows no ${what}: those are not copied`;
      onEvent({ type: "warning", code: "ATTRIBUTES_LEFT_OUT", message });
      return this.#copyOnce(onEvent, copy);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#marks?.[Symbol.asyncDispose]();
  }
}

/** How rsync(1) gets to a destination. @throws BackupError TRANSPORT_MISSING */
export async function reachOf(store: Store, signal: AbortSignal): Promise<Reach> {
  const reach = await store.reach?.(signal);
  if (reach) return reach;
  const message = `${store.name} cannot be reached by rsync, which copies trees; install rsync there, and leave out --transport sftp`;
  throw new BackupError("TRANSPORT_MISSING", message);
}

/** What an rsync(1) that was built without something says of it. */
function unknownAttributes({ cause }: BackupError): string | undefined {
  const said = cause instanceof Error ? cause.message : "";
  if (/ACLs are not supported/i.test(said)) return "A";
  return /(?:extended attributes|xattrs) are not supported/i.test(said) ? "X" : undefined;
}

/** Gives work an empty directory here. */
export async function withEmpty<T>(work: (to: () => Promise<Reach>) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "backup-empty-"));
  try {
    return await work(async () => ({ directory }));
  } finally {
    await rmdir(directory);
  }
}
