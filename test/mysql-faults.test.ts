import { chmod, mkdir, open, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BackupError } from "@backup/core";
import { type MysqlClients, type MysqlSourceOptions, prefixedMachine, sshMachine } from "@backup/mysql";
import { openRemoteDirectory } from "@backup/transport-rsync";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mariadb, startMariadb } from "./support/mariadb.js";
import { tmpfs } from "./support/mounts.js";
import { clientsOf, databaseIn, restoreMysql, runMysql, runnerOf } from "./support/mysql-backup.js";
import { descendantsOf } from "./support/process-tree.js";
import { startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

/** Letters that an option file and a shell could make something of. */
const PASSWORD = `ge'heim "x" #;\\n$HOME \`id\` é`;
const LONG = { timeout: 120_000 };
const DATABASES = ["apples", "locked", "pears"];

describe("a MariaDB server of which something cannot be dumped", () => {
  let server: Mariadb;
  let directory: TemporaryDirectory;
  let clients: MysqlClients;
  const inside = (...names: string[]): string => join(directory.path, ...names);
  let runs = 0;
  const newDestination = (): string => inside(`dest-${runs++}`);

  beforeAll(async () => {
    directory = await temporaryDirectory();
    server = await startMariadb({ tls: true, args: ["--myisam-recover-options=OFF"] });
    clients = await clientsOf({ socket: server.socket }, inside("options"));
    for (const name of DATABASES)
      await server.sql(
        `CREATE DATABASE ${name}; CREATE TABLE ${name}.t (a INT PRIMARY KEY, b TEXT); INSERT INTO ${name}.t VALUES (1, 'one');`,
      );
    await server.sql(
      `CREATE USER 'bob'@'%' IDENTIFIED BY '${PASSWORD.replaceAll("\\", "\\\\").replaceAll("'", "''")}'; GRANT ALL ON *.* TO 'bob'@'%';`,
    );
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  const bob = (more: object = {}, machine: object = {}) =>
    clientsOf({ port: server.port, user: "bob", password: PASSWORD, ...more }, inside("options"), machine);
  /** A backup without what is no matter here. */
  const run = (destination: string, options: Partial<MysqlSourceOptions> = {}, signal?: AbortSignal) =>
    runMysql({ clients, users: false, ...options }, destination, signal);

  /** Holds a table so that nobody reads it, until it is let go. */
  async function lock(table: string): Promise<AsyncDisposable> {
    const held = server.sql(`LOCK TABLES ${table} WRITE; SELECT 'held' INTO @x; DO SLEEP(600); UNLOCK TABLES;`);
    held.catch(() => {});
    const id = await waitFor(
      async () => await server.sql("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO SLEEP(600)%'"),
    );
    return {
      async [Symbol.asyncDispose]() {
        await server.sql(`KILL ${id}`);
        await held.catch(() => {});
      },
    };
  }
  const waitingDump = (): Promise<string> =>
    waitFor(() =>
      server.sql("SELECT ID FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table metadata lock%'"),
    );

  it("fails at once with a wrong password, leaves no trace, and says no word of it", LONG, async () => {
    const destination = newDestination();
    const wrong = run(destination, { clients: await bob({ password: `${PASSWORD}x` }) });
    const error: unknown = await wrong.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(BackupError);
    expect(error).toMatchObject({
      code: "AUTH_FAILED",
      message: expect.stringMatching(/127\.0\.0\.1:\d+ cannot be asked: ERROR 1045 .*'bob'.*; check the user/),
    });
    expect(String(error)).not.toContain(PASSWORD);
    expect(await readdir(directory.path)).not.toContain(destination.split("/").at(-1));
  });

  it(
    "shows a password to nobody: not in arguments, not in the environment of any program, not in what is left",
    LONG,
    async () => {
      await using _lock = await lock("locked.t");
      const stop = new AbortController();
      const running = run(newDestination(), { clients: await bob() }, stop.signal);
      running.catch(() => {});
      await waitingDump();
      const seen = await lookAtChildren();
      expect(seen.some((text) => /mariadb-dump\0.*\0locked\0/s.test(text))).toBe(true);
      for (const text of seen) expect(text).not.toContain("heim");
      const optionFiles = await readdir(inside("options"));
      expect(optionFiles.length).toBeGreaterThan(0);
      stop.abort();
      await expect(running).rejects.toMatchObject({ code: "ABORTED" });
      await waitFor(async () => ((await lookAtChildren()).some((text) => text.includes("mariadb-dump")) ? "" : "gone"));
    },
  );

  it.each(["whole", "split"] as const)(
    "goes on without a dump that is killed, %s, and stores no half of it",
    LONG,
    async (how) => {
      const destination = newDestination();
      const split = how === "split" ? ("table" as const) : ("none" as const);
      await run(destination, { split });
      for (const name of DATABASES) await server.sql(`INSERT INTO ${name}.t VALUES (${runs + 10}, 'new')`);
      const before = await readdir(databaseIn(destination, "locked"));
      const held = await lock("locked.t");
      const running = run(destination, { split });
      await waitingDump();
      for (const pid of await descendantsOf(process.pid))
        if (commandOf(pid).includes("mariadb-dump\0")) process.kill(pid, "SIGKILL");
      const { report, failed } = await running;
      await held[Symbol.asyncDispose]();
      expect(report).toMatchObject({ result: "partial", failed: 1, added: 2 });
      expect(failed).toEqual([
        expect.objectContaining({
          collection: "locked",
          code: "ITEM_UNREADABLE",
          message: expect.stringMatching(/^locked(?:\.t)? could not be dumped: mariadb-dump was ended by SIGKILL$/),
        }),
      ]);
      expect(await readdir(databaseIn(destination, "locked"))).toEqual(before);
      for (const name of ["apples", "pears"])
        expect((await readdir(databaseIn(destination, name))).length).toBe(before.length);
      expect(await readdir(join(destination, ".backup/tmp"))).toEqual([]);
      expect((await run(destination, { split })).report).toMatchObject({ result: "done", added: 1 });
    },
  );

  it("gives up a dump that waits for a lock, and one whose connection is lost", LONG, async () => {
    const held = await lock("locked.t");
    const silent = await run(newDestination(), { silenceMs: 1000 });
    expect(silent.failed).toEqual([
      expect.objectContaining({
        item: "locked.sql.gz",
        code: "TIMEOUT",
        message: expect.stringMatching(/silent for 1 seconds.*hold a lock/),
      }),
    ]);
    expect(silent.report).toMatchObject({ result: "partial", added: 2 });
    const running = run(newDestination());
    const id = await waitingDump();
    await server.sql(`KILL ${id.split("\n")[0]}`);
    const lost = await running;
    await held[Symbol.asyncDispose]();
    expect(lost.failed).toEqual([
      expect.objectContaining({
        item: "locked.sql.gz",
        message: expect.stringMatching(/could not be dumped: .*(?:2013|2026|1927|1317|killed|Lost connection)/),
      }),
    ]);
    expect(lost.report).toMatchObject({ result: "partial", added: 2 });
  });

  it("names a crashed table, and a view whose table is gone, and dumps the others", LONG, async () => {
    await server.sql(CRASHED);
    const file = await open(join(server.dataDirectory, "crashed", "m.MYD"), "r+");
    await file.truncate(1000);
    await file.close();
    await server.sql(
      "CREATE DATABASE invalid; CREATE TABLE invalid.t (a INT); CREATE VIEW invalid.v AS SELECT * FROM invalid.t; DROP TABLE invalid.t;",
    );
    const destination = newDestination();
    const { report, failed } = await run(destination);
    await server.sql("DROP DATABASE crashed; DROP DATABASE invalid;");
    expect(report).toMatchObject({ result: "partial", failed: 2, added: 3 });
    expect(failed.map(({ collection, message }) => ({ collection, message }))).toEqual([
      {
        collection: "databases/crashed",
        message: expect.stringMatching(/^crashed could not be dumped: .*1194.* crashed/),
      },
      {
        collection: "databases/invalid",
        message: expect.stringMatching(/^invalid could not be dumped: .*invalid\.v.*\(1356\)$/),
      },
    ]);
    expect(await readdir(databaseIn(destination, "crashed"))).toEqual([]);
    expect(await readdir(databaseIn(destination, "invalid"))).toEqual([]);
  });

  it("dumps what belongs to a DEFINER that does not exist, whom a restore names and asks for", LONG, async () => {
    await server.sql(ORPHANED);
    const destination = newDestination();
    expect((await run(destination, { selection: { include: ["orphaned"], exclude: [] } })).failed).toEqual([]);
    await server.sql("DROP DATABASE orphaned");
    const restore = (overwrite: boolean) =>
      restoreMysql({ clients, overwrite }, destination, { scratch: inside("options") });
    const first = await restore(false);
    expect(first.report).toMatchObject({ result: "partial", restored: 0, failed: 1 });
    expect(first.failed).toEqual([
      expect.objectContaining({
        collection: "orphaned",
        message: expect.stringMatching(/^orphaned was restored in part.*1449.*'gone'@'localhost'/),
      }),
    ]);
    await server.sql("CREATE USER gone@localhost; GRANT SELECT ON orphaned.* TO gone@localhost;");
    expect((await restore(true)).failed).toEqual([]);
    expect(await server.sql("SELECT * FROM orphaned.z")).toBe("1");
    await server.sql("DROP DATABASE orphaned; DROP USER gone@localhost;");
  });

  it("does not believe a dump without its last line, whatever its exit status is", LONG, async () => {
    const bin = inside("bin");
    await mkdir(bin);
    const real = (await findOnPath("mariadb-dump")) ?? "";
    await writeFile(join(bin, "mariadb-dump"), `#!/bin/sh\n"${real}" "$@" | head -c 1500\n`);
    await chmod(join(bin, "mariadb-dump"), 0o755);
    const runner = runnerOf(undefined, { ...process.env, PATH: `${bin}:${process.env.PATH}` });
    const cut = await clientsOf({ socket: server.socket }, inside("options"), { runner });
    const { report, failed } = await run(newDestination(), {
      clients: cut,
      selection: { include: ["pears"], exclude: [] },
    });
    expect(report).toMatchObject({ result: "partial", added: 0, failed: 1 });
    expect(failed).toEqual([
      expect.objectContaining({ message: expect.stringContaining("did not say that its dump is complete") }),
    ]);
  });

  it("ends where the destination is full, keeps what was there, and goes on when there is room", LONG, async () => {
    await using mount = await tmpfs("1m");
    const destination = join(mount.path, "dest");
    await run(destination);
    await server.sql("INSERT INTO locked.t SELECT seq + 1000, SHA2(seq, 512) FROM seq_1_to_30000", "locked");
    await expect(run(destination)).rejects.toMatchObject({ code: "DISK_FULL" });
    for (const name of DATABASES) expect((await readdir(databaseIn(destination, name))).length).toBe(1);
    mount.remount("size=16m");
    expect((await run(destination)).report).toMatchObject({ result: "done" });
    await server.sql("DELETE FROM locked.t WHERE a > 1000");
  });

  it("is reached by TLS that is verified, or not at all", LONG, async () => {
    const tls = await bob({ caFile: server.caFile });
    expect((await run(newDestination(), { clients: tls })).report.result).toBe("done");
    const untrusted = await bob({ caFile: "/etc/ssl/certs/ca-certificates.crt" });
    await expect(run(newDestination(), { clients: untrusted })).rejects.toMatchObject({ code: "TLS_UNTRUSTED" });
  });

  it("is dumped and restored by client programs on another host, and in what a command leads to", LONG, async () => {
    await using sshd = await startSshd();
    await using remote = await openRemoteDirectory({
      remote: { user: sshd.user, host: sshd.host, directory: "" },
      port: sshd.port,
      knownHosts: sshd.knownHosts,
      identity: { file: sshd.identity },
      secretsDirectory: inside("secrets"),
      env: process.env,
      onEvent: () => {},
      timeoutMs: 20_000,
    });
    const runner = runnerOf();
    const shell = async () => {
      const reach = await remote.reach(new AbortController().signal);
      if (!reach.shell) throw new Error("no shell");
      return reach.shell;
    };
    const machines = {
      ssh: sshMachine(runner, { name: "there", shell, prefix: [] }),
      both: sshMachine(runner, { name: "there", shell, prefix: ["env", "-u", "IT'S", "NAME=with space"] }),
      exec: prefixedMachine(runner, ["env", "-i", `PATH=${process.env.PATH}`], process.env),
    };
    for (const [name, machine] of Object.entries(machines)) {
      const far = await bob({}, { machine });
      const destination = newDestination();
      const held = await lock("locked.t");
      const running = run(destination, { clients: far, users: true });
      await waitingDump();
      const seen = await lookAtAll();
      await held[Symbol.asyncDispose]();
      for (const text of seen) expect(text).not.toContain("heim");
      expect(seen.some((text) => text.includes("mariadb-dump\0"))).toBe(true);
      expect((await running).report).toMatchObject({ result: "done", added: 4 });
      await server.sql("UPDATE apples.t SET b = 'changed meanwhile'");
      const restored = await restoreMysql(
        { clients: far, overwrite: true, selection: { include: ["apples"], exclude: [] } },
        destination,
        { scratch: inside("options") },
      );
      expect({ name, failed: restored.failed }).toEqual({ name, failed: [] });
      expect(await server.sql("SELECT b FROM apples.t WHERE a = 1")).toBe("one");
    }
  });

  it("says which program is missing", LONG, async () => {
    const runner = runnerOf(undefined, { ...process.env, PATH: "/nonexistent" });
    const none = await clientsOf({ socket: server.socket }, inside("options"), { runner });
    await expect(run(newDestination(), { clients: none })).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      message: expect.stringContaining("neither mariadb nor mysql"),
    });
    await mkdir(inside("few"));
    for (const name of ["sh", "dd"]) await symlink((await findOnPath(name)) ?? "", join(inside("few"), name));
    const machine = prefixedMachine(runnerOf(), ["env", `PATH=${inside("few")}`], process.env);
    await expect(run(newDestination(), { clients: await bob({}, { machine }) })).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      message: expect.stringContaining(" by env PATH="),
    });
  });
});

const CRASHED = `
CREATE DATABASE crashed; USE crashed; CREATE TABLE m (a INT, b TEXT, KEY (a)) ENGINE = MyISAM;
INSERT INTO m SELECT seq, 'text' FROM seq_1_to_1000; FLUSH TABLES;`;

/** A view on a view of somebody who was there. */
const ORPHANED = `
CREATE DATABASE orphaned; USE orphaned; CREATE TABLE t (a INT); INSERT INTO t VALUES (1);
CREATE USER gone@localhost; GRANT SELECT ON orphaned.* TO gone@localhost;
CREATE DEFINER = gone@localhost VIEW v AS SELECT * FROM t; CREATE VIEW z AS SELECT * FROM v; DROP USER gone@localhost;`;

/** Waits until there is an answer that is not empty. */
async function waitFor(ask: () => Promise<string>): Promise<string> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (answer !== "") return answer;
    if (Date.now() > deadline) throw new Error("it did not happen within a minute");
    await sleep(20);
  }
}

/** Arguments and environment of every process that this one has started. */
async function lookAtChildren(): Promise<readonly string[]> {
  return (await descendantsOf(process.pid)).map(commandOf);
}

/** The same of every process of this machine. */
async function lookAtAll(): Promise<readonly string[]> {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => commandOf(Number(name)));
}

function commandOf(pid: number): string {
  const read = (name: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, "utf8");
    } catch {
      // It has ended.
      return "";
    }
  };
  return `${read("cmdline")}\n${read("environ")}`;
}

async function findOnPath(name: string): Promise<string | undefined> {
  for (const at of (process.env.PATH ?? "").split(":"))
    if ((await readdir(at).catch(() => [] as string[])).includes(name)) return join(at, name);
  return undefined;
}
