import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  BackupError,
  type EventSink,
  type Known,
  type RestoreReport,
  type RestoreRequest,
  type Target,
  backupAround,
  backupFiles,
  contentOf,
  dumpLayout,
  throwIfAborted,
} from "@backup/core";
import { type Facts, FACTS_FILE, readFacts } from "./facts.js";
import { type Placement, placementOf } from "./placement.js";
import { SETTINGS } from "./texts.js";
import { placeBelow, readSystemFile, writeSystemFile } from "./system-file.js";

export interface SambaTargetOptions {
  /** Absolute: `/` is this machine, another one the root of a system that does not run, or a directory to look at. */
  readonly directory: string;
  /** What is there and differs is replaced. Default: then nothing is done. */
  readonly overwrite: boolean;
  /** Absolute, below the target; instead of those that Samba had. */
  readonly privateDirectory?: string | undefined;
  readonly stateDirectory?: string | undefined;
}

/** Brings the files of a Samba back to their places. It does not start, stop or ask any program. */
export class SambaTarget implements Target {
  readonly #options: SambaTargetOptions;

  constructor(options: SambaTargetOptions) {
    this.#options = options;
  }

  async restore(request: RestoreRequest): Promise<RestoreReport> {
    const started = performance.now();
    const { store, dryRun, signal, onEvent } = request;
    const { directory, overwrite } = this.#options;
    await checkNoBackup(directory);
    const { facts, known, collections } = await this.#look(request);
    const isSystem = directory === "/";
    if (isSystem && facts.isDomain)
      throw new BackupError(
        "USAGE",
        `${store.name} is of a domain controller, which samba-tool restores into an empty directory: restore to a directory, and go on as docs/samba.md says`,
      );
    if (isSystem) await checkStopped(facts);
    const placements = known
      .map((each) => placementOf(each, { ...this.#options, facts, isSystem }))
      .filter((each) => each !== undefined);

    const differing: Placement[] = [];
    const absent: Placement[] = [];
    for (const placement of placements) {
      throwIfAborted(signal);
      const bytes = await readSystemFile(await placeBelow(directory, placement.path));
      if (bytes === undefined) absent.push(placement);
      else if (contentOf(bytes).digest !== placement.known.content?.digest) differing.push(placement);
    }
    if (differing.length > 0 && !overwrite) {
      const names = differing.map(({ path }) => join(directory, path)).join(", ");
      throw new BackupError(
        "USAGE",
        `there is another ${names}; nothing was restored: --overwrite replaces what is there`,
      );
    }
    const wanted = [...absent, ...differing];
    const bytes = wanted.reduce((sum, { known: { file } }) => sum + file.size, 0);
    const counts = { collections, items: placements.length, present: placements.length - wanted.length };
    onEvent({ type: "restore-plan", ...counts, missing: wanted.length, bytes, unit: "file" });
    const done = dryRun ? { restored: wanted.length, failed: 0, bytes } : await this.#bring(wanted, request);
    const result = done.failed > 0 ? "partial" : "done";
    const seconds = (performance.now() - started) / 1000;
    const report: RestoreReport = { unit: "file", result, dryRun, ...counts, ...done, left: 0, seconds };
    onEvent({ type: "restored", report });
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** What the backup has. @throws BackupError NOT_FOUND, PROTOCOL */
  async #look({ store, inventory, signal }: RestoreRequest) {
    const newest = new Map<string, Known>();
    let collections = 0;
    for await (const collection of backupFiles({ store, layout: dumpLayout, inventory, signal })) {
      collections++;
      for (const known of collection.known) {
        const key = `${collection.path}/${known.identity.id}`;
        // A run that was interrupted may leave two.
        if ((newest.get(key)?.file.mtime ?? 0) <= known.file.mtime) newest.set(key, known);
      }
    }
    const about = newest.get(`${SETTINGS}/${FACTS_FILE}`);
    if (!about)
      throw new BackupError(
        "NOT_FOUND",
        `${store.name} has no ${SETTINGS}/${FACTS_FILE}: no backup of a Samba came to its end there`,
      );
    const facts = readFacts(Buffer.from(await store.read(about.file.path, signal)).toString());
    return { facts, known: [...newest.values()], collections };
  }

  async #bring(wanted: readonly Placement[], { store, signal, onEvent }: RestoreRequest) {
    const { directory } = this.#options;
    const placements = new Map(wanted.map((placement) => [placement.known.file.path, placement]));
    const done = { restored: 0, failed: 0, bytes: 0 };
    const files = wanted.map(({ known }) => known.file);
    for await (const content of store.contents(files, signal)) {
      const placement = placements.get(content.path);
      if (!placement) continue;
      const { path, known } = placement;
      if ("error" in content) tell(onEvent, path, content.error, done);
      else if (contentOf(content.bytes).digest !== known.content?.digest)
        tell(
          onEvent,
          path,
          new BackupError("ITEM_UNREADABLE", `${content.path} is damaged in the backup; ${path} was not restored`),
          done,
        );
      else {
        await writeSystemFile(join(directory, path), content.bytes, placement);
        done.restored++;
        done.bytes += content.bytes.byteLength;
      }
    }
    return done;
  }
}

function tell(onEvent: EventSink, item: string, { code, message }: BackupError, done: { failed: number }): void {
  done.failed++;
  onEvent({ type: "failed", collection: "samba", item, code, message });
}

/** Samba's programs, which note who they are beside each other. */
const PROGRAMS = ["smbd", "winbindd", "nmbd", "samba"];

/** @throws BackupError USAGE where Samba runs: it would write its own over what is restored */
async function checkStopped({ pidDirectory }: Facts): Promise<void> {
  for (const program of PROGRAMS) {
    const text = await readSystemFile(join(pidDirectory, `${program}.pid`));
    const pid = Number.parseInt(text?.toString() ?? "", 10);
    if (!(pid > 0) || (await nameOf(pid)) !== program) continue;
    throw new BackupError(
      "USAGE",
      `${program} runs (process ${pid}), and would not see what is restored; stop Samba first`,
    );
  }
}

/** What proc(5) calls a process; undefined: there is none. */
async function nameOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => undefined);
  return text?.trim();
}

/** @throws BackupError USAGE: what is in a backup only runs write to */
async function checkNoBackup(directory: string): Promise<void> {
  const around = directory === "/" ? undefined : await backupAround(join(directory, "inside"));
  if (around === undefined) return;
  throw new BackupError("USAGE", `${directory} is in the backup at ${around}; name another directory`);
}
