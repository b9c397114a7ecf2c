import type { MysqlClients } from "./client.js";
import { fromHex, query, quoteName, textLiteral } from "./query.js";

/** What belongs to the server itself. */
const SYSTEM = new Set(["information_schema", "performance_schema", "mysql", "sys", "ndbinfo"]);

export interface Database {
  readonly name: string;
  /** Tables, views, routines and events that are in it. */
  readonly objects: number;
}

/** The databases that this account sees, those of the server itself left out. */
export async function listDatabases(clients: MysqlClients): Promise<readonly string[]> {
  const rows = await query(clients, "SELECT HEX(SCHEMA_NAME) FROM information_schema.SCHEMATA;");
  return rows
    .map(([name = ""]) => fromHex(name))
    .filter((name) => !SYSTEM.has(name.toLowerCase()))
    .toSorted();
}

/** The same, with how much there is in each. */
export async function countObjects(clients: MysqlClients): Promise<readonly Database[]> {
  const names = await listDatabases(clients);
  const counted = await query(
    clients,
    ["TABLES WHERE TABLE_SCHEMA", "ROUTINES WHERE ROUTINE_SCHEMA", "EVENTS WHERE EVENT_SCHEMA"]
      .map((place) => {
        const column = place.split(" ").at(-1);
        return `SELECT HEX(${column}), COUNT(*) FROM information_schema.${place} <> 'information_schema' GROUP BY BINARY ${column}, ${column};`;
      })
      .join("\n"),
  );
  return names.map((name) => ({
    name,
    objects: counted.reduce((sum, [at = "", count]) => sum + (fromHex(at) === name ? Number(count) : 0), 0),
  }));
}

export interface Tables {
  readonly tables: readonly string[];
  readonly views: readonly string[];
}

/** What is in a database, by name. @throws BackupError COLLECTION_UNAVAILABLE */
export async function listTables(clients: MysqlClients, database: string): Promise<Tables> {
  const rows = await query(
    clients,
    `SELECT HEX(TABLE_SCHEMA), HEX(TABLE_NAME), TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${textLiteral(database)};`,
  );
  // The server may compare without case.
  const own = rows.filter(([schema = ""]) => fromHex(schema) === database);
  const named = (isView: boolean): readonly string[] =>
    own
      .filter(([, , type]) => (type === "VIEW") === isView)
      .map(([, name = ""]) => fromHex(name))
      .toSorted();
  return { tables: named(false), views: named(true) };
}

/** Engines whose tables a transaction does not hold still. */
const UNSAFE = ["MyISAM", "Aria", "MRG_MyISAM", "MEMORY", "CSV", "ARCHIVE"];

/** How many tables of each database have no transactions. */
export async function countUnsafe(clients: MysqlClients): Promise<ReadonlyMap<string, number>> {
  const engines = UNSAFE.map((engine) => `'${engine}'`).join(", ");
  const rows = await query(
    clients,
    `SELECT HEX(TABLE_SCHEMA), COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE IN (${engines}) GROUP BY BINARY TABLE_SCHEMA, TABLE_SCHEMA;`,
  );
  return new Map(rows.map(([name = "", count]) => [fromHex(name), Number(count)]));
}

/** The statement that makes a database, with its character set. */
export async function createStatement(clients: MysqlClients, database: string): Promise<string> {
  const rows = await query(clients, `SHOW CREATE DATABASE IF NOT EXISTS ${quoteName(database)};`);
  return `${rows[0]?.[1] ?? ""};\n`;
}
