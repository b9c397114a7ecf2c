import {
  BackupError,
  type ProgramRunner,
  type RestoreReport,
  type RestoreRequest,
  type Target,
  isBackupError,
  throwIfAborted,
} from "@backup/core";
import type { MysqlClients } from "./client.js";
import { countObjects } from "./databases.js";
import { feed } from "./feed.js";
import { fetchFile } from "./fetch-file.js";
import { query, quoteName } from "./query.js";
import { type Selection, selects, unmatched } from "./selection.js";
import { type StoredDump, storedDumps } from "./stored-dumps.js";

export interface MysqlTargetOptions {
  readonly clients: MysqlClients;
  readonly runner: ProgramRunner;
  readonly selection: Selection;
  /** Users, roles and grants too. */
  readonly users: boolean;
  /** A database that is there is dropped first. Default: it is left alone unless it is empty. */
  readonly overwrite: boolean;
  readonly temporaryDirectory: () => Promise<string>;
  readonly dispose?: (() => Promise<void>) | undefined;
}

/** A database that is to be restored. */
interface Task {
  readonly name: string;
  readonly dumps: readonly StoredDump[];
  /** Objects that the server has in it; undefined: it has no such database. */
  readonly there: number | undefined;
}

/**
 * A MySQL or MariaDB server that a backup is brought back to. A database that is there and not empty is refused, and costs
 * no other; what fails in the middle leaves a part of its database, which is said.
 */
export class MysqlTarget implements Target {
  readonly #options: MysqlTargetOptions;

  constructor(options: MysqlTargetOptions) {
    this.#options = options;
  }

  async restore(request: RestoreRequest): Promise<RestoreReport> {
    const { store, inventory, dryRun, signal, onEvent } = request;
    const { clients, overwrite } = this.#options;
    const started = performance.now();
    const stored = await storedDumps({ store, inventory, signal });
    const users = this.#options.users ? stored.users : undefined;
    if (this.#options.users && !users)
      throw new BackupError("NOT_FOUND", `${store.name} has no users and grants; leave --users out`);
    const tasks = await this.#tasks(stored.databases);
    const refused = tasks.filter(({ there = 0 }) => there > 0 && !overwrite);
    const accepted = tasks.filter((task) => !refused.includes(task));
    for (const { name, there = 0 } of refused) {
      const message = `${name} is at ${clients.server} with ${there} tables and routines, and was left as it is; --overwrite replaces it`;
      onEvent({ type: "failed", collection: name, code: "ITEM_REFUSED", message });
    }
    const all = tasks.flatMap(({ dumps }) => dumps).concat(users ?? []);
    const failedFirst = refused.flatMap(({ dumps }) => dumps).length;
    const bytesOf = (dumps: readonly StoredDump[]): number => dumps.reduce((sum, { content }) => sum + content.size, 0);
    const coming = accepted.flatMap(({ dumps }) => dumps).concat(users ?? []);
    const count = { collections: tasks.length, items: all.length, present: 0 };
    const plan = { ...count, missing: coming.length, bytes: bytesOf(coming), unit: "file" as const };
    onEvent({ type: "restore-plan", ...plan });
    let restored = dryRun ? coming.length : 0;
    let bytes = dryRun ? plan.bytes : 0;
    let failed = failedFirst;
    if (!dryRun) {
      const done = await this.#restoreAll(request, { accepted, users });
      restored = done.length;
      bytes = bytesOf(done);
      failed += coming.length - done.length;
    }
    const report: RestoreReport = {
      ...count,
      unit: "file",
      dryRun,
      result: failed > 0 ? "partial" : "done",
      restored,
      failed,
      left: 0,
      bytes,
      seconds: (performance.now() - started) / 1000,
    };
    onEvent({ type: "restored", report });
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.dispose?.();
  }

  /** @throws BackupError NOTHING_SELECTED */
  async #tasks(databases: ReadonlyMap<string, readonly StoredDump[]>): Promise<readonly Task[]> {
    const { clients, selection } = this.#options;
    const names = [...databases.keys()];
    const [pattern] = unmatched(selection.include, names);
    if (pattern !== undefined) {
      const has = names.slice(0, 12).join(", ") || "none";
      throw new BackupError("NOTHING_SELECTED", `the backup has no database ${pattern}; it has ${has}`);
    }
    const there = new Map((await countObjects(clients)).map(({ name, objects }) => [name, objects]));
    const isSelected = selects(selection);
    return [...databases]
      .filter(([name]) => isSelected(name))
      .map(([name, dumps]) => ({ name, dumps, there: there.get(name) }));
  }

  /** What was restored. */
  async #restoreAll(
    request: RestoreRequest,
    { accepted, users }: { readonly accepted: readonly Task[]; readonly users: StoredDump | undefined },
  ): Promise<readonly StoredDump[]> {
    const { onEvent } = request;
    const done: StoredDump[] = [];
    const failing = async (name: string, work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        throwIfAborted(request.signal);
        if (!isBackupError(error) || ENDS_ALL.has(error.code)) throw error;
        onEvent({ type: "failed", collection: name, code: error.code, message: error.message });
      }
    };
    // Views and routines are somebody's: who is to be there comes first, and what needs tables once more at the end.
    if (users) await failing("users and grants", () => this.#run(request, users, { what: "users", force: true }));
    for (const task of accepted) await failing(task.name, () => this.#restoreDatabase(request, task, done));
    if (users)
      await failing("users and grants", async () => {
        await this.#run(request, users, { what: "users and grants were restored in part" });
        done.push(users);
      });
    return done;
  }

  async #restoreDatabase(request: RestoreRequest, { name, dumps, there }: Task, done: StoredDump[]): Promise<void> {
    const { clients } = this.#options;
    if (there !== undefined && there > 0) {
      // All that is to come is held against its digest before anything is dropped.
      for (const dump of dumps) {
        await using _checked = await fetchFile(request.store, dump, { ...this.#options, ...request });
      }
      await query(clients, `DROP DATABASE ${quoteName(name)};`);
    }
    for (const dump of dumps) {
      const isOwn = dump.kind === "table" || dump.kind === "rest";
      const what =
        dumps.length === 1
          ? `${name} was restored in part, --overwrite replaces that`
          : `${name} was restored up to ${dump.path}, --overwrite replaces that`;
      await this.#run(request, dump, { what, database: isOwn ? name : undefined });
      done.push(dump);
    }
  }

  async #run(
    { store, signal }: RestoreRequest,
    dump: StoredDump,
    how: { readonly what: string; readonly database?: string | undefined; readonly force?: boolean },
  ): Promise<void> {
    const { clients, runner, temporaryDirectory } = this.#options;
    await using fetched = await fetchFile(store, dump, { temporaryDirectory, signal });
    await feed({ clients, runner, file: fetched.file, compression: dump.compression, signal, ...how });
  }
}

/** After these no other database can be restored either. */
const ENDS_ALL: ReadonlySet<string> = new Set([
  "AUTH_FAILED",
  "CONNECTION_REFUSED",
  "HOST_UNKNOWN",
  "TLS_UNTRUSTED",
  "PROGRAM_MISSING",
]);
