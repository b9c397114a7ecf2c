import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Path, isBackupError, parentOf } from "@backup/core";
import type { RemoteShell } from "@backup/core";
import { RsyncExit } from "./rsync-errors.js";
import { type RsyncEntry, parseListing } from "./rsync-listing.js";
import type { RsyncRun, RunRsync } from "./rsync-process.js";
import { retryTransient } from "./rsync-retry.js";
import { type Spool, spoolError } from "./spool.js";

export interface RsyncTreeOptions {
  readonly run: RunRsync;
  readonly shell: (signal: AbortSignal) => Promise<RemoteShell>;
  /** The destination's directory, as rsync sees it. */
  readonly directory: string;
  readonly spool: Spool;
  /** Before the first retry, milliseconds. */
  readonly retryMs?: number | undefined;
  /** Default 5. */
  readonly retries?: number | undefined;
}

/** Files that got no other name, by their paths as rsync(1) prints them. */
export interface Unlinked {
  /** The host has copied its own file. */
  readonly copied: ReadonlySet<string>;
  /** What is here was sent. */
  readonly sent: ReadonlySet<string>;
}

interface Part extends Omit<RsyncRun, "shell" | "directory"> {
  /** Directory of the destination; default: the destination itself. */
  readonly at?: Path | undefined;
}

/** Length of what rsync(1) prints for `%i`, and a space. */
const ITEMIZED = 12;

/** A directory that only rsync(1) reaches. What is transient is tried again. */
export class RsyncTree {
  readonly #options: RsyncTreeOptions;

  constructor(options: RsyncTreeOptions) {
    this.#options = options;
  }

  /**
   * Entries of these names, and of what is directly in those that end with a slash; missing ones are left out.
   * @throws BackupError NOT_FOUND: the directory itself is missing
   */
  list(names: readonly string[], signal: AbortSignal): Promise<readonly RsyncEntry[]> {
    if (names.length === 0) return Promise.resolve([]);
    return this.#list({ files: names, options: ["--ignore-missing-args", "--no-implied-dirs"] }, signal);
  }

  /** All of the directory at this path that these filter rules leave, by the path from there. @throws BackupError NOT_FOUND */
  listAll(rules: readonly string[], signal: AbortSignal, at: Path = ""): Promise<readonly RsyncEntry[]> {
    return this.#list({ at, options: ["--recursive", ...rules.map((rule) => `--filter=${rule}`)] }, signal);
  }

  /** Fetches files into a directory here; missing ones are left out, symbolic links too. @throws BackupError NOT_FOUND */
  async pull(files: readonly Path[], local: string, signal: AbortSignal): Promise<void> {
    // A file that grew or went since is one that the caller finds out about.
    const options = ["--times", "--whole-file", "--ignore-missing-args", "--no-implied-dirs"];
    await this.#orNoDirectory(this.#run({ direction: "pull", local, files, options, accept: [24], signal }));
  }

  /** Sends what is in a directory here, with no time of its own: each file gets that of the host's clock. */
  async push(files: readonly Path[], local: string, options: readonly string[], signal: AbortSignal): Promise<void> {
    const always = ["--omit-dir-times", "--chmod=D0700,F0600", "--whole-file", "--no-implied-dirs"];
    await this.#run({ direction: "push", local, files, options: [...always, ...options], signal });
  }

  /** Removes files and empty directories: those that are there, and not what is in them. Their parents are there. */
  async remove(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    if (paths.length === 0) return;
    await this.scratch(async (local) => {
      // What is missing here is removed there; the directories that it is in must not count as missing.
      await this.#makeAll(
        local,
        paths.map((path) => parentOf(path)),
      );
      const options = ["--delete-missing-args", "--no-implied-dirs", "--omit-dir-times"];
      await this.#run({ direction: "push", local, files: paths, options, signal });
    });
  }

  /** Removes a directory with all that is in it; it is there. */
  async removeTree(path: Path, signal: AbortSignal): Promise<void> {
    // First what says that it is a backup: one that is half removed is none.
    for (const rules of [["--filter=+ /.backup/", "--filter=+ /.backup/**", "--filter=- *"], []])
      await this.scratch((local) => {
        const options = ["--recursive", "--delete", "--omit-dir-times", ...rules];
        return this.#run({ at: path, direction: "push", local, options, signal });
      });
    await this.remove([path], signal);
  }

  /**
   * Makes the directory at `to` hold what `local` holds, by other names of the files of the same names, sizes and times
   * that the directory `links` has, as rsync(1) takes it for `--link-dest`. Never tried again: what a run that broke has
   * sent would look to the next one like what was linked.
   */
  async pushLinks(
    local: string,
    { to, links }: { readonly to: Path; readonly links: string },
    signal: AbortSignal,
  ): Promise<Unlinked> {
    const options = [
      "--recursive",
      "--size-only",
      "--times",
      "--omit-dir-times",
      "--whole-file",
      // Twice: also what has all attributes of the file here, as a copy may.
      "--itemize-changes",
      "--itemize-changes",
      "--chmod=D0700,F0600",
      `--link-dest=${links}`,
      "--out-format=%i %n",
    ];
    let output = "";
    // Last what says that it is a backup: one that is half made is none.
    for (const rules of [["--filter=- /.backup"], []])
      output += String(await this.#once({ at: to, direction: "push", local, options: [...options, ...rules], signal }));
    // `hf` is a file that got another name, `cf` one that was copied there, as where link(2) fails; `<f` was sent.
    const named = (kind: RegExp): ReadonlySet<string> =>
      new Set(output.split("\n").flatMap((line) => (kind.test(line) ? [line.slice(ITEMIZED)] : [])));
    return { copied: named(/^cf/), sent: named(/^[<>]f/) };
  }

  /** Gives the directories in `to` the times of those here with their names. */
  async pushDirectoryTimes(local: string, to: Path, signal: AbortSignal): Promise<void> {
    const options = ["--recursive", "--times", "--filter=+ */", "--filter=- *"];
    await this.#run({ at: to, direction: "push", local, options, signal });
  }

  /** Makes directories, 0700; their parents are there or among them. The mode of those that are there stays. */
  async makeDirectories(paths: readonly Path[], signal: AbortSignal, options: readonly string[] = []): Promise<void> {
    if (paths.length === 0) return;
    await this.scratch(async (local) => {
      await this.#makeAll(local, paths);
      await this.push(paths, local, options, signal);
    });
  }

  /** Gives work a directory here that is removed after. */
  async scratch<T>(work: (local: string) => Promise<T>): Promise<T> {
    const local = join(await this.#options.spool.directory(), `scratch-${randomUUID()}`);
    await mkdir(local, { mode: 0o700 }).catch((error: unknown) => {
      throw spoolError(error, local);
    });
    try {
      return await work(local);
    } finally {
      await rm(local, { recursive: true, force: true });
    }
  }

  async #makeAll(local: string, paths: readonly Path[]): Promise<void> {
    for (const path of new Set(paths)) await mkdir(join(local, path), { recursive: true, mode: 0o700 });
  }

  async #list(part: Pick<Part, "at" | "files" | "options">, signal: AbortSignal): Promise<readonly RsyncEntry[]> {
    const local = await this.#options.spool.directory();
    const options = ["--list-only", ...part.options];
    const output = this.#run({ ...part, options, direction: "pull", local, accept: [24], signal });
    return parseListing(await this.#orNoDirectory(output));
  }

  /** What is below a file is missing too, which --ignore-missing-args does not know. */
  async #orNoDirectory(work: Promise<Buffer>): Promise<Buffer> {
    try {
      return await work;
    } catch (error) {
      const exit = isBackupError(error) && error.cause;
      if (!(exit instanceof RsyncExit) || exit.exitCode !== 23) throw error;
      const said = exit.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("rsync error: "));
      if (said.length > 0 && said.every((line) => /link_stat .* failed: Not a directory/.test(line)))
        return exit.stdout;
      throw error;
    }
  }

  #run(part: Part): Promise<Buffer> {
    const { retryMs, retries } = this.#options;
    return retryTransient(() => this.#once(part), { signal: part.signal, waitMs: retryMs, retries });
  }

  async #once({ at = "", ...part }: Part): Promise<Buffer> {
    const { run, shell } = this.#options;
    const directory = at === "" ? this.#options.directory : placeIn(this.#options.directory, at);
    return run({ ...part, shell: await shell(part.signal), directory });
  }
}

function placeIn(directory: string, at: Path): string {
  return directory === "" || directory.endsWith("/") ? `${directory}${at}` : `${directory}/${at}`;
}
