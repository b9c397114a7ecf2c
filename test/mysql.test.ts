import { execFile } from "node:child_process";
import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { LocalStore, backupToHistory, dumpLayout, readBackup, verify } from "@backup/core";
import { sourceSuite } from "@backup/core/testing";
import { type MysqlClients, mysqlSource } from "@backup/mysql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mariadb, startMariadb } from "./support/mariadb.js";
import { ALL, clientsOf, databaseIn, restoreMysql, runMysql } from "./support/mysql-backup.js";
import { contentsOf } from "./support/mysql-compare.js";
import { MANY, TYPES, USERS } from "./support/mysql-data.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const run = promisify(execFile);
const NEVER = new AbortController().signal;
/** Some hundred programs on a busy machine. */
const LONG = { timeout: 180_000 };
const only = (...include: string[]) => ({ include, exclude: [] });

describe("a MariaDB server", () => {
  let server: Mariadb;
  let other: Mariadb;
  let directory: TemporaryDirectory;
  let clients: MysqlClients;
  let target: MysqlClients;
  const inside = (...names: string[]): string => join(directory.path, ...names);
  beforeAll(async () => {
    directory = await temporaryDirectory();
    [server, other] = await Promise.all([startMariadb(), startMariadb()]);
    clients = await clientsOf({ socket: server.socket }, inside("options"));
    target = await clientsOf({ socket: other.socket }, inside("scratch"));
    await server.sql(TYPES + USERS);
  }, 120_000);
  afterAll(async () => {
    await Promise.all([server?.[Symbol.asyncDispose](), other?.[Symbol.asyncDispose]()]);
    await directory?.[Symbol.asyncDispose]();
  });
  const restore = (from: string, options = {}, dryRun = false) =>
    restoreMysql({ clients: target, ...options }, from, { scratch: inside("scratch"), dryRun });

  it("comes back to an empty server as it was, with a hundred databases, users and grants", LONG, async () => {
    await server.sql(MANY);
    const backed = await runMysql({ clients }, inside("whole"));
    expect(backed.failed).toEqual([]);
    expect(backed.report).toMatchObject({ result: "done", failed: 0, items: 105 });
    expect(backed.events).toContainEqual(expect.objectContaining({ type: "warning", code: "NOT_TRANSACTIONAL" }));
    const { report, failed, events } = await restore(inside("whole"), { users: true });
    expect(failed).toEqual([]);
    expect(report).toMatchObject({ result: "done", unit: "file", restored: 105, failed: 0 });
    expect(events.map(({ type }) => type)).toEqual(["restore-plan", "restored"]);
    expect(await contentsOf(other)).toEqual(await contentsOf(server));

    // Nothing has changed: nothing is transferred, and no file is touched.
    const before = await filesOf(inside("whole"));
    const again = await runMysql({ clients }, inside("whole"));
    expect(again.report).toMatchObject({ result: "done", added: 0, removed: 0, bytes: 0 });
    expect(await filesOf(inside("whole"))).toEqual(before);
    await server.sql("UPDATE many_7.t SET b = 'other'; DROP DATABASE many_8;");
    const changed = await runMysql({ clients }, inside("whole"));
    expect(changed.report).toMatchObject({ result: "done", added: 1, removed: 1 });
    const gone = await filesOf(inside("whole"));
    expect(gone.filter((one) => !before.includes(one)).map((one) => one.split(" ")[0])).toEqual([
      expect.stringMatching(/^databases\/many_7\/many_7\.D[a-z2-7]{26}\.sql\.gz$/),
    ]);
    expect(gone.some((one) => one.includes("many_8/"))).toBe(false);

    await using store = new LocalStore(inside("whole"));
    const { inventory } = await readBackup(store, NEVER);
    expect(await verify({ store, layout: dumpLayout, inventory, signal: NEVER })).toMatchObject({
      files: 104,
      damaged: [],
    });
  });

  it.each([
    ["gzip", ".sql.gz"],
    ["zstd", ".sql.zst"],
    ["none", ".sql"],
  ] as const)("comes back from a file for each table, %s", LONG, async (compression, extension) => {
    const destination = inside(`split-${compression}`);
    const options = { clients, selection: only("shop", "we*"), split: "table", compression, users: false } as const;
    const { report, failed } = await runMysql(options, destination);
    expect(failed).toEqual([]);
    expect(report.result).toBe("done");
    const names = await readdir(databaseIn(destination, "shop"));
    const kinds = names.map((name) => name.replace(/\.D[a-z2-7]{26}/, ""));
    expect(kinds).toContain(`orders.table${extension}`);
    expect(kinds).toContain(`shop.database${extension}`);
    expect(kinds).toContain(`shop.rest${extension}`);
    await other.sql("DROP DATABASE IF EXISTS shop; DROP DATABASE IF EXISTS `we/ird: ``na.me``é`;");
    expect((await restore(destination)).failed).toEqual([]);
    const isOurs = (line: string): boolean => /shop|orders|texts|total|by_app|na\.me/.test(line);
    const [there, here] = [await contentsOf(other), await contentsOf(server)];
    expect(there.filter(isOurs)).toEqual(here.filter(isOurs));
    await server.sql("INSERT INTO shop.customers VALUES (99, 'New')");
    expect((await runMysql(options, destination)).report).toMatchObject({ result: "done", added: 1, removed: 0 });
    await server.sql("DELETE FROM shop.customers WHERE id = 99");
  });

  it("is refused where a database is and holds something, and replaced when asked for", LONG, async () => {
    await runMysql({ clients, selection: only("old_latin", "nothing"), users: false }, inside("refused"));
    await other.sql(
      "CREATE OR REPLACE DATABASE old_latin; CREATE TABLE old_latin.mine (a INT); CREATE OR REPLACE DATABASE nothing;",
    );
    const dry = await restore(inside("refused"), {}, true);
    expect(dry.report).toMatchObject({ result: "partial", dryRun: true, restored: 1, failed: 1 });
    const { report, failed } = await restore(inside("refused"));
    expect(report).toMatchObject({ result: "partial", restored: 1, failed: 1 });
    expect(failed).toEqual([
      expect.objectContaining({
        collection: "old_latin",
        code: "ITEM_REFUSED",
        message: expect.stringMatching(/1 tables.* --overwrite/),
      }),
    ]);
    expect(await other.sql("SHOW TABLES IN old_latin")).toBe("mine");
    expect((await restore(inside("refused"), { overwrite: true, selection: only("old_latin") })).report).toMatchObject({
      result: "done",
      restored: 1,
    });
    expect(await other.sql("SHOW TABLES IN old_latin")).toBe("t");
    expect(await other.sql("SELECT HEX(a) FROM old_latin.t ORDER BY 1")).toBe(
      await server.sql("SELECT HEX(a) FROM old_latin.t ORDER BY 1"),
    );
    await expect(restore(inside("refused"), { selection: only("shop") })).rejects.toMatchObject({
      code: "NOTHING_SELECTED",
    });
  });

  it(
    "drops nothing for a dump that is damaged, and says how far it came where one fails in the middle",
    LONG,
    async () => {
      // The client programs write views in the order of their names: this one needs the next.
      await server.sql(
        "CREATE DATABASE broken; USE broken; CREATE TABLE t (a INT); INSERT INTO t VALUES (1); CREATE VIEW b AS SELECT * FROM t; CREATE VIEW a AS SELECT * FROM b WITH CHECK OPTION;",
      );
      await runMysql(
        { clients, selection: only("broken", "old_latin"), users: false, compression: "none" },
        inside("broken"),
      );
      const failing = await restore(inside("broken"), { overwrite: true });
      expect(failing.report).toMatchObject({ result: "partial", restored: 1, failed: 1 });
      expect(failing.failed).toEqual([
        expect.objectContaining({
          collection: "broken",
          message: expect.stringMatching(/^broken was restored in part, .*ERROR 1368/),
        }),
      ]);
      const at = databaseIn(inside("broken"), "old_latin");
      const [name = ""] = await readdir(at);
      await writeFile(join(at, name), (await readFile(join(at, name), "latin1")).replace("INSERT", "DELETE"), "latin1");
      const damaged = await restore(inside("broken"), { overwrite: true, selection: only("old_latin") });
      expect(damaged.failed).toEqual([
        expect.objectContaining({ code: "ITEM_UNREADABLE", message: expect.stringContaining("other bytes") }),
      ]);
      expect(await other.sql("SELECT COUNT(*) FROM old_latin.t")).toBe("2");
      await server.sql("DROP DATABASE broken");
    },
  );

  it("is dumped at one point in time while others write", LONG, async () => {
    await server.sql(BANK);
    const churning = server.sql("CALL bank.churn()");
    const moves = async (at: Mariadb): Promise<number> => Number(await at.sql("SELECT moves FROM bank.control"));
    const seen: number[] = [];
    for (let round = 0; round < 3; round++) {
      const before = await moves(server);
      const { report } = await runMysql({ clients, selection: only("bank"), users: false }, inside("bank"));
      expect(report).toMatchObject({ result: "done", added: 1 });
      // It was written to all the time.
      expect(await moves(server)).toBeGreaterThan(before);
      await restore(inside("bank"), { overwrite: true });
      expect(
        await other.sql("SELECT SUM(money) FROM (SELECT * FROM bank.a UNION ALL SELECT * FROM bank.z) AS all_of_it"),
      ).toBe("40000000");
      // And not the first dump once more.
      seen.push(await moves(other));
      expect(seen.at(-1)).toBeGreaterThanOrEqual(before);
    }
    expect(new Set(seen).size).toBe(3);
    await server.sql("UPDATE bank.control SET stop = 1");
    await churning;
    await server.sql("DROP DATABASE bank");
  });

  it("has a history of days, in which what has not changed is the same file", LONG, async () => {
    const days = ["2026/11/01", "2026/11/02"];
    for (const day of days) {
      await server.sql(`UPDATE shop.customers SET name = 'of ${day}' WHERE id = 1`);
      await using store = new LocalStore(inside("history"));
      await using source = mysqlSource({ ...ALL, clients, selection: only("shop", "nothing"), users: false });
      expect(await backupToHistory({ source, store, day })).toMatchObject({ result: "done" });
    }
    const [first = [], second = []] = await Promise.all(days.map((day) => filesOf(inside("history", day))));
    const shared = first.filter((one) => second.includes(one));
    expect(shared.map((one) => one.split("/")[1])).toEqual(["nothing"]);
    expect(await other.sql("DROP DATABASE IF EXISTS shop")).toBe("");
    await restore(inside("history", "2026/11/01"), { selection: only("shop") });
    expect(await other.sql("SELECT name FROM shop.customers WHERE id = 1")).toBe("of 2026/11/01");
  });

  it("is compressed so that a small change changes few bytes of the file", LONG, async () => {
    await server.sql(
      "CREATE DATABASE large; CREATE TABLE large.t (id INT PRIMARY KEY, b TEXT); USE large; INSERT INTO large.t SELECT seq, SHA2(seq, 512) FROM seq_1_to_60000;",
    );
    const dumpFile = async (name: string): Promise<string> => {
      await runMysql({ clients, selection: only("large"), users: false }, inside(name));
      const [file = ""] = await readdir(databaseIn(inside(name), "large"));
      return join(databaseIn(inside(name), "large"), file);
    };
    const old = await dumpFile("large-1");
    await server.sql("UPDATE large.t SET b = 'changed' WHERE id = 100");
    const changed = await dumpFile("large-2");
    expect(gunzipSync(await readFile(changed)).toString("latin1")).toContain("'changed'");
    await run("cp", [old, inside("basis")]);
    const { stdout } = await run("rsync", [
      "--no-whole-file",
      "--no-human-readable",
      "--stats",
      changed,
      inside("basis"),
    ]);
    const [, literal] = /Literal data: (\d+)/.exec(stdout) ?? [];
    const { size } = await stat(changed);
    expect(Number(literal)).toBeLessThan(size / 5);
    await server.sql("DROP DATABASE large");
  });

  describe("as a source keeps what a source promises", () => {
    for (const { name, run: test } of sourceSuite)
      it(name, LONG, () =>
        test({
          open: async () =>
            mysqlSource({
              ...ALL,
              clients,
              selection: only("old_latin", "nothing"),
              split: "table",
              compression: "none",
              now: () => 0,
            }),
        }),
      );
  });
});

/** Two tables of accounts, between which a procedure moves money: their sum is always the same. */
const BANK = `
CREATE DATABASE bank; USE bank;
CREATE TABLE a (id INT PRIMARY KEY, money INT NOT NULL); CREATE TABLE z (id INT PRIMARY KEY, money INT NOT NULL);
INSERT INTO a SELECT seq, 1000 FROM seq_1_to_20000; INSERT INTO z SELECT seq, 1000 FROM seq_1_to_20000;
CREATE TABLE control (stop INT, moves INT) ; INSERT INTO control VALUES (0, 0);
DELIMITER //
CREATE PROCEDURE churn() BEGIN
  DECLARE n INT DEFAULT 0;
  REPEAT
    SET n = n + 1;
    START TRANSACTION;
    UPDATE a SET money = money - n % 17 WHERE id = 1 + n % 20000;
    UPDATE z SET money = money + n % 17 WHERE id = 1 + n * 7 % 20000;
    UPDATE control SET moves = n;
    COMMIT;
  UNTIL (SELECT stop FROM control) = 1 END REPEAT;
END//
DELIMITER ;
`;

/** Every file but those of the run itself, with what would show that it was touched. */
async function filesOf(destination: string): Promise<readonly string[]> {
  const { stdout } = await run("find", [
    destination,
    "-path",
    "*/.backup",
    "-prune",
    "-o",
    "-type",
    "f",
    "-printf",
    "%P %i %T@ %s\\n",
  ]);
  return stdout.trim().split("\n").toSorted();
}
