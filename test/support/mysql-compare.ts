import type { Mariadb } from "./mariadb.js";

const SYSTEM = "('information_schema', 'performance_schema', 'mysql', 'sys')";

/** All that a server holds, in words: statements that make it, and checksums of rows. Equal for equal servers. */
export async function contentsOf(server: Mariadb): Promise<readonly string[]> {
  const rows = async (statement: string): Promise<readonly string[][]> => {
    const text = await server.sql(statement);
    return text === "" ? [] : text.split("\n").map((line) => line.split("\t"));
  };
  const hexes = async (columns: string, from: string): Promise<readonly string[][]> =>
    (await rows(`SELECT ${columns} FROM information_schema.${from} ORDER BY 1, 2`)).map((row) =>
      row.map((one) => Buffer.from(one, "hex").toString()),
    );
  const name = (text = ""): string => `\`${text.replaceAll("`", "``")}\``;
  const statements: string[] = [];
  for (const [database] of await hexes("HEX(SCHEMA_NAME), ''", `SCHEMATA WHERE SCHEMA_NAME NOT IN ${SYSTEM}`))
    statements.push(`SHOW CREATE DATABASE ${name(database)}`);
  const tables = await hexes(
    "HEX(TABLE_SCHEMA), HEX(TABLE_NAME), HEX(TABLE_TYPE)",
    `TABLES WHERE TABLE_SCHEMA NOT IN ${SYSTEM}`,
  );
  for (const [database, table, type] of tables) {
    statements.push(`SHOW CREATE ${type === "SEQUENCE" ? "SEQUENCE" : "TABLE"} ${name(database)}.${name(table)}`);
    if (type === "SEQUENCE") statements.push(`SELECT next_not_cached_value FROM ${name(database)}.${name(table)}`);
    // What rows were before is not dumped.
    else if (type === "SYSTEM VERSIONED") statements.push(`SELECT COUNT(*) FROM ${name(database)}.${name(table)}`);
    else if (type !== "VIEW") statements.push(`CHECKSUM TABLE ${name(database)}.${name(table)} EXTENDED`);
  }
  for (const [database, routine, type] of await hexes(
    "HEX(ROUTINE_SCHEMA), HEX(ROUTINE_NAME), HEX(ROUTINE_TYPE)",
    `ROUTINES WHERE ROUTINE_SCHEMA NOT IN ${SYSTEM}`,
  ))
    statements.push(`SHOW CREATE ${type} ${name(database)}.${name(routine)}`);
  for (const [database, trigger] of await hexes(
    "HEX(TRIGGER_SCHEMA), HEX(TRIGGER_NAME)",
    `TRIGGERS WHERE TRIGGER_SCHEMA NOT IN ${SYSTEM}`,
  ))
    statements.push(
      `SELECT EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_STATEMENT, DEFINER, SQL_MODE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '${database}' AND TRIGGER_NAME = '${trigger}'`,
    );
  for (const [database, event] of await hexes("HEX(EVENT_SCHEMA), HEX(EVENT_NAME)", "EVENTS"))
    statements.push(`SHOW CREATE EVENT ${name(database)}.${name(event)}`);
  for (const [account] of await rows(
    "SELECT IF(is_role = 'Y', CONCAT('`', User, '`'), CONCAT('`', REPLACE(User, '`', '``'), '`@`', Host, '`')), is_role FROM mysql.user WHERE User <> 'root' OR Host = 'localhost' ORDER BY User, Host",
  ))
    statements.push(...(account?.includes("@") ? [`SHOW CREATE USER ${account}`] : []), `SHOW GRANTS FOR ${account}`);
  const answers = (await server.sql(statements.map((one) => `${one};\n`).join(""))).split("\n");
  // MariaDB lists a PROXY grant twice when it was given once more.
  return [...statements, ...answers.filter((line, at) => line !== answers[at - 1])];
}
