import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportOf, runBackup, startBackup } from "./support/command.js";
import { type Mariadb, startMariadb } from "./support/mariadb.js";
import { peakMemory } from "./support/peak-memory.js";
import { startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

/** Of a table; more by this variable. */
const LARGE_MIB = Number(process.env.TEST_MYSQL_MIB ?? "24");

describe("backup mysql", { timeout: 120_000 }, () => {
  let server: Mariadb;
  let directory: TemporaryDirectory;
  let at: string;
  const inside = (...names: string[]): string => join(directory.path, ...names);
  beforeAll(async () => {
    directory = await temporaryDirectory();
    server = await startMariadb({ tls: true });
    await server.sql(
      "CREATE DATABASE shop; CREATE TABLE shop.t (a INT); INSERT INTO shop.t VALUES (1); CREATE DATABASE `tmp_x`;",
    );
    await server.sql("CREATE USER bob@'%' IDENTIFIED BY 'geheim'; GRANT ALL ON *.* TO bob@'%' WITH GRANT OPTION;");
    at = `bob@127.0.0.1:${server.port}`;
    await writeFile(inside("secret"), "geheim\n", { mode: 0o600 });
    await writeFile(inside("wrong"), "falsch\n", { mode: 0o600 });
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });
  const login = () => ["--srcsecret", inside("secret")];

  it("backs up, shows, verifies and restores, and says by its exit status how that went", async () => {
    const dest = inside("dest");
    const access = [...login(), "--tls", "verify", "--tls-ca", server.caFile];
    const first = await runBackup(["mysql", at, dest, ...access, "--exclude-database", "tmp_*", "--json"]);
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: "" });
    expect(reportOf(first)).toMatchObject({ result: "done", unit: "file", added: 2 });
    expect(await readdir(join(dest, "databases"))).toEqual(["shop"]);
    const again = await runBackup(["mysql", at, dest, ...login(), "--exclude-database", "tmp_*"]);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining("2 files, 0 new or changed") });
    expect(await runBackup(["verify", dest])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^2 files.* as their names say/),
    });
    expect(await runBackup(["ls", dest])).toMatchObject({ code: 0, stdout: expect.stringContaining("shop") });

    const there = await runBackup(["restore", "mysql", dest, at, ...login()]);
    expect(there).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/shop is at 127\.0\.0\.1:\d+ with 1 tables/),
    });
    await server.sql("DROP DATABASE shop");
    expect(await runBackup(["restore", "mysql", dest, at, ...login(), "--users"])).toMatchObject({ code: 0 });
    expect(await server.sql("SELECT a FROM shop.t")).toBe("1");
  });

  it.each(["rsync", "sftp"])("backs up to another host and restores from there, by %s", async (transport) => {
    await using sshd = await startSshd();
    const dest = `${sshd.user}@${sshd.host}:${sshd.remotePath}/db`;
    const there = ["--dstsecret", sshd.identity, "--known-hosts", sshd.knownHosts, "--ssh-port", `${sshd.port}`];
    const words = [...login(), ...there, "--transport", transport];
    expect(await runBackup(["mysql", `${at}/shop`, dest, ...words, "--split", "table"])).toMatchObject({ code: 0 });
    const again = await runBackup(["mysql", `${at}/shop`, dest, ...words, "--split", "table", "--json"]);
    expect(reportOf(again)).toMatchObject({ result: "done", items: 4, added: 0, bytes: 0 });
    await server.sql("DELETE FROM shop.t");
    const restored = await runBackup(["restore", "mysql", dest, at, ...words, "--overwrite"]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(await server.sql("SELECT a FROM shop.t")).toBe("1");
  });

  it("dumps and restores a large table in little memory", { timeout: 1_800_000 }, async () => {
    const rows = LARGE_MIB * 8192;
    await server.sql(
      `CREATE DATABASE large; CREATE TABLE large.t (id INT PRIMARY KEY, b CHAR(128) CHARACTER SET latin1); INSERT INTO large.t SELECT seq, SHA2(seq, 512) FROM seq_1_to_${rows}`,
      "mysql",
    );
    const before = await server.sql("CHECKSUM TABLE large.t");
    const words = [`${at}/large`, inside("large"), ...login(), "--skip-users"];
    const peaks: number[] = [];
    const seconds: number[] = [];
    const measured = async (args: readonly string[]): Promise<void> => {
      const started = performance.now();
      const { child, result } = startBackup(args);
      const peak = peakMemory(child);
      expect(await result).toMatchObject({ code: 0, stderr: "" });
      peaks.push(await peak);
      seconds.push(Math.round((performance.now() - started) / 1000));
    };
    await measured(["mysql", ...words]);
    await server.sql("UPDATE large.t SET b = 'changed' WHERE id = 1");
    await measured(["mysql", ...words]);
    await server.sql("DROP DATABASE large");
    await measured(["restore", "mysql", inside("large"), at, ...login()]);
    await server.sql("UPDATE large.t SET b = SHA2(1, 512) WHERE id = 1");
    expect(await server.sql("CHECKSUM TABLE large.t")).toBe(before);
    if (process.env.TEST_MYSQL_MIB)
      console.log({ LARGE_MIB, seconds, peakMiB: peaks.map((bytes) => Math.round(bytes / 2 ** 20)) });
    for (const peak of peaks) expect(peak).toBeLessThan(300 * 2 ** 20);
    await server.sql("DROP DATABASE large");
  });

  it("ends at once where the password is wrong, missing, or the server is not there", async () => {
    const wrong = await runBackup(["mysql", at, inside("none"), "--srcsecret", inside("wrong")]);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("Access denied for user 'bob'") });
    expect(wrong.stderr + wrong.stdout).not.toContain("falsch");
    const missing = await runBackup(["mysql", at, inside("none")]);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("no secret found for bob@127.0.0.1") });
    const nobody = await runBackup(["mysql", "bob@127.0.0.1:1", inside("none"), ...login()]);
    expect(nobody).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/127\.0\.0\.1:1 cannot be asked: .*check that it runs/),
    });
    expect(await readdir(directory.path)).not.toContain("none");
  });

  it.each([
    [["mysql", "", "d"], "names no server"],
    [["mysql", "db", "d", "--socket", "/s"], "--socket is for a server on localhost"],
    [["mysql", "db/shop", "d", "--database", "x"], "leave one of them out"],
    [["mysql", "db", "d", "--exec", "docker 'exec"], "is not closed"],
    [["mysql", "db", "d", "--ssh-secret", "/k"], "are for the host of --ssh"],
    [["mysql", "db", "d", "--dump-timeout", "0"], "--dump-timeout takes"],
  ])("refuses %s", async (args, text) => {
    expect(await runBackup(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(text) });
  });
});
