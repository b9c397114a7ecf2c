import {
  BackupError,
  type Dump,
  type DumpCollection,
  DumpSource,
  type DumpStageOptions,
  type EventSink,
  type ProgramRunner,
  type Source,
  type DumpItem,
  type Unavailable,
} from "@backup/core";
import type { MysqlClients } from "./client.js";
import { type Compression, type Compressor, compressor, extensionOf } from "./compression.js";
import { countUnsafe, createStatement, listDatabases, listTables } from "./databases.js";
import { type Part, dumpOf } from "./dump.js";
import { filtered } from "./filtered.js";
import { KINDS, SERVER_PLACE, databaseAt, placesOf } from "./places.js";
import { type Selection, selects, unmatched } from "./selection.js";
import { dumpUsers } from "./users.js";
import { COMPLETED_LINE } from "./whole-dump.js";

export interface MysqlSourceOptions {
  readonly clients: MysqlClients;
  readonly runner: ProgramRunner;
  readonly selection: Selection;
  /** One file for each database, or for each table. */
  readonly split: "none" | "table";
  /** Users, roles and grants too. */
  readonly users: boolean;
  readonly compression: Compression;
  /** See DumpRequest. */
  readonly silenceMs: number;
  readonly onEvent?: EventSink | undefined;
  readonly stage?: DumpStageOptions | undefined;
  readonly now?: (() => number) | undefined;
  readonly dispose?: (() => Promise<void>) | undefined;
}

interface Dumping extends MysqlSourceOptions {
  readonly compress: Compressor;
}

/** The databases of a MySQL or MariaDB server as a source: a collection each, and one of users and grants. */
export function mysqlSource(given: MysqlSourceOptions): Source<DumpItem> {
  const options: Dumping = { ...given, compress: compressor(given.compression, given.runner) };
  const { clients, selection, users, stage, now, dispose } = options;
  const isSelected = selects(selection);
  return new DumpSource({
    id: `mysql:${clients.server}`,
    collections: (signal) => collectionsOf(options, signal),
    wants: (path) => {
      if (path === SERVER_PLACE) return users;
      const database = databaseAt(path);
      return database !== undefined && isSelected(database);
    },
    stage,
    now,
    dispose,
  });
}

async function* collectionsOf(options: Dumping, signal: AbortSignal): AsyncGenerator<DumpCollection | Unavailable> {
  const { clients, selection, users, onEvent } = options;
  const names = await listDatabases(clients);
  const places = placesOf(names);
  const isSelected = selects(selection);
  const chosen = names.filter(isSelected);
  const all = names.length > 0 ? names.slice(0, 12).join(", ") : "none that this account sees";
  for (const pattern of unmatched(selection.include, names))
    yield {
      name: pattern,
      error: new BackupError("NOTHING_SELECTED", `no database is called ${pattern}; ${clients.server} has ${all}`),
    };
  if (selection.include.length > 0 && chosen.length === 0)
    throw new BackupError("NOTHING_SELECTED", `no database is selected; ${clients.server} has ${all}`);
  const unsafe = await countUnsafe(clients);
  for (const name of chosen) {
    const tables = unsafe.get(name) ?? 0;
    if (tables === 0) continue;
    const message = `${tables} ${tables === 1 ? "table" : "tables"} of ${name} ${tables === 1 ? "has" : "have"} no transactions (MyISAM and the like): what is written to them during the dump may be in it in part`;
    onEvent?.({ type: "warning", code: "NOT_TRANSACTIONAL", message });
  }
  for (const [at, name] of names.entries())
    if (isSelected(name)) yield { path: places[at] ?? "", name, dumps: () => dumpsOf(options, name, signal) };
  if (users) yield { path: SERVER_PLACE, name: "users and grants", dumps: () => [usersDump(options)] };
}

async function* dumpsOf(options: Dumping, database: string, signal: AbortSignal): AsyncGenerator<Dump> {
  const { clients, split } = options;
  const dump = (name: string, kind: string, bytes: Produce): Dump => compressed(options, { name, kind, bytes });
  const part = (what: Part): Produce => {
    const { silenceMs } = options;
    return (given) => dumpOf({ clients, database, part: what, silenceMs, signal: given });
  };
  if (split === "none") {
    yield dump(database, KINDS.whole, part({ kind: "whole" }));
    return;
  }
  const { tables, views } = await listTables(clients, database);
  signal.throwIfAborted();
  yield dump(database, KINDS.made, async function* () {
    yield Buffer.from(`${await createStatement(clients, database)}${COMPLETED_LINE}`);
  });
  for (const table of tables) yield dump(table, KINDS.table, part({ kind: "table", table }));
  yield dump(database, KINDS.rest, part({ kind: "rest", views }));
}

type Produce = (signal: AbortSignal) => AsyncIterable<Uint8Array>;

function usersDump(options: Dumping): Dump {
  const { clients, onEvent } = options;
  return compressed(options, {
    name: "users",
    kind: KINDS.users,
    async *bytes() {
      const { text, unknown } = await dumpUsers(clients);
      if (unknown.length > 0) {
        const message = `${clients.server} has accounts that it does not know (skip-name-resolve?), and they are left out: ${unknown.join(", ")}`;
        onEvent?.({ type: "warning", code: "ACCOUNT_UNKNOWN", message });
      }
      yield Buffer.from(text);
    },
  });
}

function compressed(
  { compression, compress }: Dumping,
  { name, kind, bytes }: { readonly name: string; readonly kind: string; readonly bytes: Produce },
): Dump {
  return {
    name,
    extension: `${kind}.sql${extensionOf(compression)}`,
    async *produce({ signal }) {
      if (compression === "none") yield* bytes(signal);
      else yield* filtered(bytes(signal), await compress());
    },
  };
}
