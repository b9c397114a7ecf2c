import { constants, createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, rm, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { backupFiles } from "./backup-files.js";
import { ContentHash } from "./digest.js";
import { dumpLayout, readDumpName } from "./dump-layout.js";
import { BackupError, isBackupError, systemCode, throwIfAborted } from "./errors.js";
import { unescapeName } from "./escape-name.js";
import type { Known, Path } from "./model.js";
import type { PluginContext } from "./plugin-context.js";
import type { RestoreReport, RestoreRequest, Target } from "./restore.js";
import { ScriptProcess } from "./script-process.js";
import { type ScriptDone, isScriptEnd, parseDone } from "./script-protocol.js";
import { type ScriptWords, requestOf } from "./script-request.js";

export interface ScriptTargetOptions extends ScriptWords {
  readonly file: string;
}

/** Whatever a script brings files of a backup back to. @throws BackupError SECRET_MISSING */
export async function openScriptTarget(options: ScriptTargetOptions, context: PluginContext): Promise<Target> {
  const given = await requestOf(options, context);
  return {
    restore: (request) => restoreBy(options, { given, context, request }),
    async [Symbol.asyncDispose]() {},
  };
}

interface Means {
  readonly given: object;
  readonly context: PluginContext;
  readonly request: RestoreRequest;
}

/** A file of a backup as it is offered. */
interface Offered {
  readonly collection: Path;
  /** As the script listed it. */
  readonly path: Path;
  readonly known: Known;
}

/**
 * Offers every file of a backup with its bytes, one after the other, each held against its digest before. What the script
 * says it did counts once it has said that it is through, and has ended well.
 * @throws BackupError what ended it: nothing is taken for restored then
 */
async function restoreBy(options: ScriptTargetOptions, means: Means): Promise<RestoreReport> {
  const { context, request } = means;
  const { dryRun, signal, onEvent } = request;
  const started = performance.now();
  const script = basename(options.file);
  const count = { collections: 0, items: 0, restored: 0, present: 0, failed: 0, bytes: 0 };
  const fail = (collection: Path, item: Path, { code, message }: BackupError): void => {
    count.failed++;
    onEvent({ type: "failed", collection, item, code, message });
  };
  await using process = await ScriptProcess.start(context, [options.file, "restore"]);
  process.write({ ...means.given, "dry-run": dryRun });
  const collections = new Set<Path>();
  try {
    for await (const { collection, path, known } of offers(options.name, request)) {
      throwIfAborted(signal);
      let done: ScriptDone;
      try {
        await using copy = await fetch(known, means);
        const { size, mtime } = known.file;
        process.write({ path, file: copy.file, size, mtime: mtime / 1000 });
        const line = await process.next();
        if (line === undefined) {
          // Its status says more.
          await process.wait();
          throw new BackupError("PROTOCOL", `${script} restore ended before it had answered for ${path}`);
        }
        done = parseDone(line, script, path);
      } catch (error) {
        if (!isBackupError(error, "ITEM_UNREADABLE")) throw error;
        count.items++;
        collections.add(collection);
        fail(collection, path, error);
        continue;
      }
      if (done.did === "skipped") continue;
      count.items++;
      collections.add(collection);
      if (done.error !== undefined) fail(collection, path, new BackupError("ITEM_REFUSED", `${path}: ${done.error}`));
      else if (done.did === "present") count.present++;
      else {
        count.restored++;
        count.bytes += known.file.size;
      }
    }
    process.write({ end: true });
    process.endInput();
    const line = await process.next();
    await process.wait();
    if (line === undefined || !isScriptEnd(line))
      throw new BackupError("PROTOCOL", `${script} restore ended without {"end":true}: it may not be through`);
  } catch (error) {
    throwIfAborted(signal);
    if (!isBackupError(error) || dryRun) throw error;
    const message = `${error.message}; nothing of what it answered until then (${count.restored} restored) is taken for done`;
    throw new BackupError(error.code, message, { cause: error });
  }
  const report: RestoreReport = {
    unit: "file",
    dryRun,
    result: count.failed > 0 ? "partial" : "done",
    ...count,
    collections: collections.size,
    left: 0,
    seconds: (performance.now() - started) / 1000,
  };
  onEvent({ type: "restored", report });
  return report;
}

/** Of several files of the same name the newest counts. */
async function* offers(name: string, { store, inventory, signal }: RestoreRequest): AsyncGenerator<Offered> {
  for await (const { path: collection, known } of backupFiles({ store, inventory, signal, layout: dumpLayout })) {
    const directory = collection.split("/").map((part) => unescapeName(part) ?? part);
    const seen = new Set<string>();
    const newest = known.toSorted((a, b) => b.file.mtime - a.file.mtime);
    const wanted = newest.filter(({ identity: { id } }) => !seen.has(id) && seen.add(id));
    for (const one of wanted.toSorted((a, b) => (a.file.path < b.file.path ? -1 : 1))) {
      const named = readDumpName(one.file.path);
      if (!named) continue;
      const file = `${named.name}${named.extension}`;
      // What was listed without a directory is offered without one.
      const path = directory.join("/") === name ? file : [...directory, file].join("/");
      yield { collection, path, known: one };
    }
  }
}

interface Copy extends AsyncDisposable {
  readonly file: string;
}

/** A private copy, whole, which the script may move away. @throws BackupError ITEM_UNREADABLE, SPOOL_UNWRITABLE */
async function fetch({ file: { path, mtime }, content }: Known, { context, request }: Means): Promise<Copy> {
  const { store, signal } = request;
  const directory = join(await context.temporaryDirectory(), "restored");
  const file = join(directory, "file");
  const dispose = (): Promise<void> => rm(file, { force: true });
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const reach = await store.reach?.(signal);
    // Whatever its size; another host's is read as a whole.
    if (reach && !reach.shell) await copyFile(join(reach.directory, path), file, constants.COPYFILE_FICLONE);
    else await writeFile(file, await store.read(path, signal));
    await chmod(file, 0o600);
    await utimes(file, mtime / 1000, mtime / 1000);
    const hash = new ContentHash();
    for await (const piece of createReadStream(file, { signal })) hash.update(piece as Uint8Array);
    if (hash.content().digest !== content?.digest)
      throw unreadable(`${path} holds other bytes than its name says, and was not restored; see backup verify`);
    return { file, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throwIfAborted(signal);
    if (isBackupError(error, "NOT_FOUND") || systemCode(error) === "ENOENT")
      throw unreadable(`${path} is not there any more, and was not restored; see backup verify`);
    if (isBackupError(error)) throw error;
    const reason = systemCode(error) ?? "unknown error";
    const message = `${path} cannot be copied to ${directory} (${reason}); make room there, or set TMPDIR to another directory`;
    throw new BackupError("SPOOL_UNWRITABLE", message, { cause: error });
  }
}

function unreadable(message: string): BackupError {
  return new BackupError("ITEM_UNREADABLE", message);
}
