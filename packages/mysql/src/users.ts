import { BackupError, isBackupError } from "@backup/core";
import type { MysqlClients } from "./client.js";
import { fromHex, query, quoteName } from "./query.js";
import { COMPLETED_LINE } from "./whole-dump.js";

/** Accounts that every server makes for itself. */
const SYSTEM = new Set(["mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema"]);
/** A role of MariaDB that everybody has: it is there already. */
const PUBLIC = "PUBLIC";

interface Account {
  readonly name: string;
  readonly host: string;
  readonly isRole: boolean;
}

const HEADER =
  "-- Users, roles and grants. Who is there keeps the password; what he may do is added.\n" +
  "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n";

/** Of an account that is in the table and that the server does not know, as one of a host's name with skip-name-resolve. */
const UNKNOWN = ["1133", "1141", "1269"];
/** Before the answer for an account. */
const MARK = "account ";

/** How an account logs on is said where it is made; where it is, that stays. */
const IDENTIFIED = / IDENTIFIED (?:BY PASSWORD '[^']*'|(?:VIA|WITH) .+?)(?= REQUIRE | WITH |$)/;

/** What root is given when a server is made, and what only root can give. */
const OF_EVERY_SERVER = /^GRANT PROXY ON (?:``@`%`|''@'%'|``@``|''@'') TO .root.@/;

export interface UsersDump {
  readonly text: string;
  /** Accounts that the server itself does not know; they are left out. */
  readonly unknown: readonly string[];
}

/**
 * Users and roles of a server and what they may do, as statements that make them where they are missing.
 * @throws BackupError ITEM_UNREADABLE where this account may not see them
 */
export async function dumpUsers(clients: MysqlClients): Promise<UsersDump> {
  try {
    const isMaria = /mariadb/i.test((await query(clients, "SELECT VERSION();"))[0]?.[0] ?? "");
    const accounts = await listAccounts(clients, isMaria);
    // Digests of passwords may hold any byte.
    const first = isMaria ? "" : "SET SESSION print_identified_with_as_hex = 1;\n";
    const users = accounts.filter(({ isRole }) => !isRole);
    const made = await shown(clients, users, (name) => `${first}SHOW CREATE USER ${name};`);
    const granted = await shown(clients, accounts, (name) => `SHOW GRANTS FOR ${name};`);
    const roles = accounts.filter(({ name, isRole }) => isRole && name !== PUBLIC);
    const lines = [
      ...roles.map(({ name }) => `CREATE ROLE IF NOT EXISTS ${quoteName(name)}`),
      ...[...made.values()].flat().map((line) => line.replace(/^CREATE USER /, "CREATE USER IF NOT EXISTS ")),
      ...[...granted.values()]
        .flat()
        .filter((line) => !OF_EVERY_SERVER.test(line))
        .map((line) => line.replace(IDENTIFIED, "")),
    ];
    const unknown = accounts.map(nameOf).filter((name) => (granted.get(name) ?? []).length === 0);
    return { text: `${HEADER}${lines.map((line) => `${line};\n`).join("")}${COMPLETED_LINE}`, unknown };
  } catch (error) {
    if (!isBackupError(error, "COLLECTION_UNAVAILABLE")) throw error;
    const message = `users and grants could not be dumped: ${error.message}; --skip-users leaves them out`;
    throw new BackupError("ITEM_UNREADABLE", message, { cause: error });
  }
}

/** What a statement says of each account. */
async function shown(
  clients: MysqlClients,
  accounts: readonly Account[],
  statement: (name: string) => string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const statements = accounts.map((one, at) => `SELECT '${MARK}${at}';\n${statement(nameOf(one))}\n`).join("");
  const answers = new Map<string, string[]>();
  let lines: string[] = [];
  for (const row of await query(clients, statements, { tolerate: UNKNOWN })) {
    const line = row.join("\t");
    const account = line.startsWith(MARK) ? accounts[Number(line.slice(MARK.length))] : undefined;
    if (!account) lines.push(line);
    else answers.set(nameOf(account), (lines = []));
  }
  return answers;
}

async function listAccounts(clients: MysqlClients, isMaria: boolean): Promise<readonly Account[]> {
  const role = isMaria ? "is_role" : "'N'";
  const rows = await query(clients, `SELECT HEX(User), HEX(Host), ${role} FROM mysql.user;`);
  return rows
    .map(([name = "", host = "", is]) => ({ name: fromHex(name), host: fromHex(host), isRole: is === "Y" }))
    .filter(({ name }) => !SYSTEM.has(name))
    .toSorted((a, b) => compare(a.name, b.name) || compare(a.host, b.host));
}

function nameOf({ name, host, isRole }: Account): string {
  if (!isRole) return `${quoteName(name)}@${quoteName(host)}`;
  return name === PUBLIC ? PUBLIC : quoteName(name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
