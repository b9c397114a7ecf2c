import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Queues, connectQueue, fleetStatus, parseQueue } from "@backup/fleet";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { runBackup, startBackup } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { type Writing, digestsIn, fillMailbox, fleetUsers, writeAccounts, writingsOf } from "./support/fleet.js";
import type { MailServer } from "./support/mail-server.js";
import { seededRandom } from "./support/random.js";
import { type RedisServer, startRedis } from "./support/redis.js";
import { startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

/** Mailboxes of the test with kills; a thousand take a quarter of an hour. */
const MAILBOXES = Number(process.env["FLEET_MAILBOXES"] ?? 40);
const WORKERS = 3;

const RECORDER = fileURLToPath(new URL("support/fleet-recorder.mjs", import.meta.url));
const WORKER = fileURLToPath(new URL("support/fleet-worker.mjs", import.meta.url));
/** As the command of an account in which nothing is to be done, or whose login is refused. */
const CHILD = fileURLToPath(new URL("../bench/fleet-child.sh", import.meta.url));
const NOTES = fileURLToPath(new URL("../examples/plugins/notes.mjs", import.meta.url));
/** A plugin that would write down how a run went. */
const NOTIFIER = `import { appendFile } from "node:fs/promises";
export default { api: 1, kind: "notifier", name: "note", summary: "writes into a file",
  options: { file: { type: "string", describe: "The file" } },
  open: ({ file }) => ({ name: "note", ended: async () => { await appendFile(file, "told\\n"); } }) };
`;

interface Status {
  readonly total: Readonly<Record<"waiting" | "running" | "delayed" | "done" | "failed", number>>;
  readonly failed: readonly { readonly name: string; readonly reason: string; readonly runs: number }[];
  readonly late: readonly { readonly name: string }[];
}

/** What `backup fleet status` says, without a process of its own. */
async function statusOf(url: string): Promise<Status> {
  const { signal } = new AbortController();
  const redis = await connectQueue({ place: parseQueue(url), patienceMs: 10_000 }, signal);
  await using queues = new Queues(redis);
  const status = await fleetStatus(queues, { most: 20, now: Date.now() });
  redis.disconnect();
  return status;
}

describe("a fleet that is killed at random", () => {
  let server: MailServer;
  let redis: RedisServer;
  let directory: TemporaryDirectory;
  const users = fleetUsers(MAILBOXES);

  beforeAll(async () => {
    directory = await temporaryDirectory();
    redis = await startRedis();
    server = await startDovecot({ users, extraConfig: "mail_max_userip_connections = 20" });
    for (const user of Object.keys(users)) await fillMailbox(server, user, 1 + (Number(user.slice(1)) % 4));
  }, 120_000);
  afterAll(async () => {
    await redis[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  it("backs up every account, never two at once to one destination, and loses no job", {
    timeout: 300_000 + MAILBOXES * 3000,
  }, async () => {
    const random = seededRandom(11);
    const records = join(directory.path, "records");
    await writeFile(records, "");
    const accounts = await writeAccounts({ server, directory: directory.path }, users);
    const enqueue = () => runBackup(["fleet", "enqueue", accounts, "--queue", redis.url, "--json"]);
    expect(JSON.parse((await enqueue()).stdout)).toMatchObject({ added: MAILBOXES, present: 0, hosts: 1 });
    expect(JSON.parse((await enqueue()).stdout)).toMatchObject({ added: 0, present: MAILBOXES });

    const settings = { url: redis.url, concurrency: 2, command: [process.execPath, RECORDER] };
    const env = { ...process.env, FLEET_RECORDS: records, FLEET_WORKER: JSON.stringify(settings) };
    const start = (): ChildProcess =>
      spawn(process.execPath, [WORKER], { env, stdio: ["ignore", "inherit", "inherit"] });
    const workers = Array.from({ length: WORKERS }, start);
    const kills = new Map<number, number>();
    let workerKills = 0;
    let restarts = 0;
    for (;;) {
      await sleep(300 + random.below(500));
      const { waiting, running, delayed, done } = (await statusOf(redis.url)).total;
      if (waiting + running + delayed === 0) break;
      // On a busy machine each would be killed for ever before it is done.
      const isEnough = workerKills + kills.size > 2 * MAILBOXES;
      const dice = isEnough ? 9 : random.below(10);
      if (dice < 2) {
        const index = random.below(WORKERS);
        workers[index]?.kill("SIGKILL");
        workerKills++;
        workers[index] = start();
      } else if (dice < 6) {
        const children = await childrenOf(workers.flatMap(({ pid }) => pid ?? []));
        const child = children[random.below(Math.max(1, children.length))];
        if (child !== undefined && killNow(child)) kills.set(child, Date.now());
      } else if (restarts === 0 && done > MAILBOXES / 3) {
        restarts++;
        await redis.stop();
        await sleep(1500);
        await redis.start();
      }
    }
    expect(workerKills).toBeGreaterThan(0);
    expect(kills.size).toBeGreaterThan(0);
    expect(restarts).toBe(1);
    for (const worker of workers) worker.kill("SIGTERM");
    for (const worker of workers) if (worker.exitCode === null) await once(worker, "exit");

    const status = await statusOf(redis.url);
    expect(status.failed).toEqual([]);
    expect(status.total).toMatchObject({ done: MAILBOXES, failed: 0 });
    for (const user of Object.keys(users))
      expect(await digestsIn(join(directory.path, "to", user, "INBOX")), user).toEqual(
        await digestsIn(server.mailDir(user)),
      );

    const writings = await writingsOf(records, kills);
    const destinations = new Set(writings.map(({ destination }) => destination));
    expect(destinations.size).toBe(MAILBOXES);
    expect(writings.length).toBeGreaterThan(MAILBOXES);
    for (const destination of destinations) {
      const of = writings.filter((writing) => writing.destination === destination);
      for (const [index, writing] of of.entries()) {
        const next = of[index + 1];
        if (next === undefined) continue;
        expect(next.fence, destination).toBeGreaterThan(writing.fence);
        // Of one that was killed while nobody looked, the next one had to find it dead.
        if (writing.to !== undefined) expect(next.from, destination).toBeGreaterThanOrEqual(writing.to);
      }
    }
  });
});

/** How many of these wrote at the same time. */
function mostAtOnce(writings: readonly Writing[]): number {
  const others = writings.map(
    ({ from }) => writings.filter((other) => other.from <= from && (other.to ?? 0) > from).length,
  );
  return Math.max(...others);
}

/** Whether it was there still. */
function killNow(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

/** Processes whose parent is one of these, or was and is gone: commands of workers. */
async function childrenOf(parents: readonly number[]): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if (parents.includes(parent)) found.push(pid);
  }
  return found;
}

describe("a fleet", { timeout: 180_000 }, () => {
  let server: MailServer;
  let redis: RedisServer;
  let directory: TemporaryDirectory;
  const users = fleetUsers(8);

  beforeAll(async () => {
    directory = await temporaryDirectory();
    redis = await startRedis();
    server = await startDovecot({ users });
    for (const user of Object.keys(users)) await fillMailbox(server, user, 1);
  });
  afterAll(async () => {
    await redis[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  const fleet = (...args: readonly string[]) => runBackup(["fleet", ...args, "--queue", redis.url]);

  it("gives up at once with a wrong password, names it, says who is late, and tries again when it is told to", async () => {
    const { u0, u1 } = { u0: "wrong", u1: users["u1"] ?? "" };
    const accounts = await writeAccounts({ server, directory: directory.path }, { u0, u1 });
    expect(await fleet("enqueue", accounts)).toMatchObject({
      code: 0,
      stdout: "2 accounts added, 0 there already; 1 host\n",
    });
    const logins = async (): Promise<number> => (await server.log()).split("auth failed").length - 1;
    expect(await logins()).toBe(0);
    const worked = await fleet("worker", "--until-empty", "--concurrency", "2");
    expect(worked).toMatchObject({ code: 0, stderr: "" });
    expect(await logins()).toBe(1);
    const { failed, total } = await statusOf(redis.url);
    expect(total).toMatchObject({ done: 1, failed: 1, waiting: 0 });
    expect(failed).toMatchObject([{ runs: 1, reason: expect.stringMatching(/^AUTH_FAILED: /) }]);
    const late = await fleet("status", "--late", "1s");
    expect(late.code).toBe(3);
    expect(late.stdout).toMatch(/^failed: u0 → .*AUTH_FAILED: .* \(1 run\)$/m);
    expect(late.stdout).toMatch(/^late: u0 → .*: never backed up$/m);
    expect((await fleet("status", "--late", "26h")).code).toBe(0);

    await writeFile(join(directory.path, "secrets", "u0"), users["u0"] ?? "", { mode: 0o600 });
    expect((await fleet("retry")).stdout).toBe("1 job retried\n");
    expect((await fleet("worker", "--until-empty")).code).toBe(0);
    expect((await statusOf(redis.url)).total).toMatchObject({ done: 2, failed: 0 });
    expect(await digestsIn(join(directory.path, "to", "u0", "INBOX"))).toEqual(await digestsIn(server.mailDir("u0")));
    const logs = (await logsOfDone()).filter((log) => log.includes("/to/u0"));
    expect(logs).toEqual([
      expect.stringMatching(/AUTH_FAILED: [^]*writes to \S+ as \d+\n[^]*done: 1 new, 0 deleted, /),
    ]);
  });

  /** What the jobs that are done have in their logs, each as one text. */
  async function logsOfDone(): Promise<readonly string[]> {
    const { signal } = new AbortController();
    const connection = await connectQueue({ place: parseQueue(redis.url), patienceMs: 10_000 }, signal);
    await using queues = new Queues(connection);
    const queue = queues.of("localhost");
    const done = await queue.getCompleted();
    const logs = await Promise.all(done.map(async ({ id = "" }) => (await queue.getJobLogs(id)).logs.join("\n")));
    connection.disconnect();
    return logs;
  }

  it("tries each wrong password of many accounts once, and finishes the others", async () => {
    const refused = join(directory.path, "refused");
    const rows = Array.from(
      { length: 300 },
      (_, at) => `${at % 33 === 0 ? "wrong" : "user"}${at},/srv/${at},mail.example.org`,
    );
    const accounts = join(directory.path, "many.csv");
    await writeFile(accounts, ["user,destination,server", ...rows, ""].join("\n"));
    const before = await statusOf(redis.url);
    await fleet("enqueue", accounts);
    const settings = { url: redis.url, concurrency: 4, command: [CHILD] };
    const env = { ...process.env, FLEET_REFUSED: refused, FLEET_WORKER: JSON.stringify(settings) };
    const worker = spawn(process.execPath, [WORKER], { env, stdio: "inherit" });
    onTestFinished(() => void worker.kill("SIGKILL"));
    while ((await statusOf(redis.url)).total.done < before.total.done + 290) await sleep(100);
    // Whoever is tried again would be so within this.
    await sleep(1000);
    worker.kill("SIGTERM");
    await once(worker, "exit");
    const { total, failed } = await statusOf(redis.url);
    expect(total).toEqual({ ...before.total, done: before.total.done + 290, failed: before.total.failed + 10 });
    const many = failed.filter(({ reason }) => reason.includes("mail.example.org"));
    expect(many.map(({ runs }) => runs)).toEqual(Array.from({ length: 10 }, () => 1));
    const tried = (await readFile(refused, "utf8")).trim().split("\n");
    expect(tried.toSorted()).toEqual(rows.flatMap((row) => /^wrong\d+/.exec(row) ?? []).toSorted());
    await fleet("forget", ...rows.map((row) => `${row.split(",")[0]} → ${row.split(",")[1]}`));
  });

  it("refuses two plans that mean one destination, and enqueues nothing of the second", async () => {
    const accounts = await writeAccounts({ server, directory: directory.path }, { u1: users["u1"] ?? "" });
    await fleet("enqueue", accounts);
    const before = await statusOf(redis.url);
    const text = (await readFile(accounts, "utf8")).replace("\nu1,", "\nu2,");
    const other = join(directory.path, "other.csv");
    await writeFile(other, `${text}u3,/srv/u3,imaps://localhost:${server.tlsPort},,\n`);
    const refused = await fleet("enqueue", other);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/u2 → .*: its destination .*\/to\/u1 is that of u1 → .*, of another plan/);
    expect(await statusOf(redis.url)).toEqual(before);
    const some = await fleet("enqueue", other, "--skip-bad");
    expect(some).toMatchObject({ code: 3, stdout: "1 account added, 0 there already, 1 left out; 1 host\n" });
    expect(await fleet("forget", "u3 → /srv/u3")).toMatchObject({ code: 0, stdout: "1 account forgotten\n" });
    expect((await statusOf(redis.url)).total.waiting).toBe(before.total.waiting);
    expect((await fleet("forget", "nobody")).stderr).toMatch(/knows no account 'nobody'/);
  });

  it("backs up on a schedule, each account at a moment of its own", async () => {
    const accounts = await writeAccounts(
      { server, directory: directory.path },
      { u4: users["u4"] ?? "", u5: users["u5"] ?? "" },
    );
    const args = ["enqueue", accounts, "--every", "1h", "--jitter", "2s"] as const;
    expect((await fleet(...args)).stdout).toBe("2 accounts added, 0 there already; 1 host\n");
    expect((await fleet(...args)).stdout).toBe("0 accounts added, 2 there already; 1 host\n");
    const worker = startBackup(["fleet", "worker", "--queue", redis.url, "--json"]);
    for (;;) {
      const { total } = await statusOf(redis.url);
      // The next ones wait for their hour.
      if (total.delayed === 2 && total.running === 0 && total.done >= 4) break;
      await sleep(200);
    }
    worker.child.kill("SIGTERM");
    expect(await worker.result).toMatchObject({ code: 0 });
    for (const user of ["u4", "u5"])
      expect(await digestsIn(join(directory.path, "to", user, "INBOX"))).toEqual(await digestsIn(server.mailDir(user)));
    expect((await fleet("forget", ...(await namesOf(["u4", "u5"])))).stdout).toBe("2 accounts forgotten\n");
    expect((await statusOf(redis.url)).total.delayed).toBe(0);
  });

  const namesOf = async (some: readonly string[]): Promise<readonly string[]> =>
    some.map((user) => `${user} → ${join(directory.path, "to", user)}`);

  it("hands back what runs when it is told to stop and it takes too long", async () => {
    const accounts = join(directory.path, "slow.yaml");
    await writeFile(
      accounts,
      JSON.stringify({
        actions: [{ type: "file", source: directory.path, destination: "/srv/nowhere", before: [["sleep", "60"]] }],
      }),
    );
    await fleet("enqueue", accounts);
    const worker = startBackup(["fleet", "worker", "--queue", redis.url, "--grace", "1s"]);
    while ((await statusOf(redis.url)).total.running === 0) await sleep(100);
    const started = Date.now();
    worker.child.kill("SIGTERM");
    expect(await worker.result).toMatchObject({ code: 0 });
    expect(Date.now() - started).toBeLessThan(20_000);
    const { total, failed } = await statusOf(redis.url);
    expect(total).toMatchObject({ waiting: 1, running: 0 });
    expect(failed).toEqual([]);
    await fleet("forget", `${directory.path} → /srv/nowhere`);
  });

  it("goes on with what runs while the queue is away, and comes back", async () => {
    const accounts = join(directory.path, "away.yaml");
    const destination = join(directory.path, "to", "u6");
    const secret = join(directory.path, "u6");
    await writeFile(secret, users["u6"] ?? "", { mode: 0o600 });
    const action = {
      type: "imap",
      user: "u6",
      server: `imaps://localhost:${server.tlsPort}`,
      destination,
      srcsecret: secret,
    };
    await writeFile(
      accounts,
      JSON.stringify({ actions: [{ ...action, "tls-ca": server.caFile, before: [["sleep", "4"]] }] }),
    );
    await fleet("enqueue", accounts);
    const worker = startBackup(["fleet", "worker", "--queue", redis.url, "--until-empty", "--listen", "0"]);
    while ((await statusOf(redis.url)).total.running === 0) await sleep(100);
    await redis.stop();
    await sleep(2000);
    await redis.start();
    const result = await worker.result;
    expect(result.code).toBe(0);
    expect(result.stderr).toMatch(/^warning: no queue at localhost:\d+ .*; running jobs go on$/m);
    expect(result.stdout).toMatch(/^the queue is there again$/m);
    expect(await digestsIn(join(destination, "INBOX"))).toEqual(await digestsIn(server.mailDir("u6")));
    expect((await statusOf(redis.url)).failed).toEqual([]);
  });

  it("takes a poisoned job for none, and the others go on", async () => {
    const { signal } = new AbortController();
    const connection = await connectQueue({ place: parseQueue(redis.url), patienceMs: 0 }, signal);
    await using queues = new Queues(connection);
    await queues.of("localhost").add("imap", { id: "x", account: { plan: "rm -rf /" } } as never);
    expect((await fleet("worker", "--until-empty")).code).toBe(0);
    const { failed } = await statusOf(redis.url);
    expect(failed).toMatchObject([{ reason: expect.stringMatching(/this is no job of backup fleet/), runs: 1 }]);
    // Nor does it stand in the way of whoever names another one.
    expect(await fleet("retry", "nobody")).toMatchObject({ code: 0, stdout: "0 jobs retried\n" });
    await (await queues.of("localhost").getFailed())[0]?.remove();
    connection.disconnect();
  });

  it("shows its state to Prometheus, to whoever looks after it, and on a page that changes nothing", async () => {
    const worker = startBackup(["fleet", "worker", "--queue", redis.url, "--listen", "39464"]);
    const get = async (path: string, init?: RequestInit) => await fetch(`http://127.0.0.1:39464${path}`, init);
    let health: Response | undefined;
    while (!health) health = await get("/healthz").catch(() => sleep(100).then(() => undefined));
    expect(await health.text()).toBe("ok\n");
    const metrics = await (await get("/metrics")).text();
    expect(metrics).toMatch(/^backup_fleet_jobs\{host="localhost",state="done"\} \d+$/m);
    expect(metrics).toMatch(/^backup_fleet_late_accounts 0$/m);
    expect((await get("/elsewhere")).status).toBe(404);
    expect((await get("/metrics", { method: "POST" })).status).toBe(405);
    const file = join(directory.path, "fleet.prom");
    expect((await fleet("status", "--metrics", file)).code).toBe(0);
    expect(await readFile(file, "utf8")).toMatch(/^backup_fleet_accounts \d+$/m);
    worker.child.kill("SIGTERM");
    expect((await worker.result).code).toBe(0);

    const board = startBackup(["fleet", "dashboard", "--queue", redis.url, "--listen", "39465", "--json"]);
    const [line] = (await once(board.child.stdout ?? process.stdin, "data")) as [Buffer];
    expect(JSON.parse(line.toString())).toEqual({ type: "dashboard", url: "http://127.0.0.1:39465/" });
    const page = await fetch("http://127.0.0.1:39465/");
    expect(await page.text()).toMatch(/<html/i);
    const api = await fetch("http://127.0.0.1:39465/api/queues");
    expect(JSON.stringify(await api.json())).toContain("localhost");
    expect((await fetch("http://127.0.0.1:39465/api/queues/localhost/pause", { method: "PUT" })).status).toBe(405);
    board.child.kill("SIGTERM");
    await board.result;
  });

  it("keeps to what a host allows, over all workers", async () => {
    const records = join(directory.path, "polite");
    await writeFile(records, "");
    const some = Object.fromEntries(Object.entries(users).slice(2, 8));
    await writeAccounts({ server, directory: directory.path }, some);
    const accounts = join(directory.path, "accounts.csv");
    const text = (await readFile(accounts, "utf8")).replaceAll("/to/", "/polite-to/");
    await writeFile(accounts, text);
    await fleet("enqueue", accounts, "--per-host", "2");
    const most = await workByTwo(records);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
    const writings = await writingsOf(records, new Map());
    expect(writings).toHaveLength(6);
    expect(mostAtOnce(writings)).toBeLessThanOrEqual(2);
    await fleet("enqueue", accounts, "--per-host", "1000");
  });

  it("keeps to how many may write to a host, over all workers", async () => {
    await using sshd = await startSshd();
    const records = join(directory.path, "polite-writers");
    await writeFile(records, "");
    const some = Object.fromEntries(Object.entries(users).slice(2, 8));
    const accounts = await writeAccounts({ server, directory: directory.path }, some);
    const [head = "", ...rows] = (await readFile(accounts, "utf8")).trim().split("\n");
    const there = rows.map((row) => row.replace(/,[^,]*\/to\//, `,${sshd.user}@${sshd.host}:${sshd.remotePath}/`));
    const host = ["ssh-port,dstsecret,known-hosts", [sshd.port, sshd.identity, sshd.knownHosts].join()];
    await writeFile(accounts, [`${head},${host[0]}`, ...there.map((row) => `${row},${host[1]}`)].join("\n"));
    expect(await fleet("enqueue", accounts, "--per-destination", "2")).toMatchObject({ code: 0, stderr: "" });
    // Without a limit of the mail server's all eight of them would write at once.
    expect(await workByTwo(records)).toBeGreaterThan(2);
    expect((await statusOf(redis.url)).failed).toEqual([]);
    const writings = await writingsOf(records, new Map());
    expect(writings).toHaveLength(6);
    expect(mostAtOnce(writings)).toBe(2);
    for (const user of Object.keys(some))
      expect(await digestsIn(join(sshd.path, user, "INBOX"))).toEqual(await digestsIn(server.mailDir(user)));
  });

  it("runs what plugins of a plan bring, or of a command with a list, and says that it makes no report of the whole", async () => {
    await copyFile(NOTES, join(directory.path, "notes.mjs"));
    await writeFile(join(directory.path, "notifier.mjs"), NOTIFIER);
    await writeFile(join(directory.path, "notes.json"), JSON.stringify([{ title: "Milk", text: "buy some" }]));
    const [file, plan, list] = ["notes.json", "notes.yaml", "notes.csv"].map((name) => join(directory.path, name));
    const to = (name: string): string => join(directory.path, "to", name);
    await writeFile(
      plan ?? "",
      `plugins: [./notes.mjs, ./notifier.mjs]
actions: [{ type: notes, file: ${file}, destination: ${to("by-plan")} }]
reports: { note: { file: ${join(directory.path, "notified")} } }
`,
    );
    await writeFile(list ?? "", `type,file,destination\nnotes,${file},${to("by-list")}\n`);
    expect(await fleet("enqueue", plan ?? "")).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /^warning: .*notes\.yaml: a queue runs each account .* without reports of the whole/,
      ),
    });
    expect(await fleet("enqueue", list ?? "")).toMatchObject({ code: 2, stderr: expect.stringContaining("notes") });
    expect(await fleet("enqueue", list ?? "", "--plugin", NOTES)).toMatchObject({ code: 0, stderr: "" });
    expect(await fleet("worker", "--until-empty")).toMatchObject({ code: 0, stderr: "" });
    expect((await statusOf(redis.url)).failed).toEqual([]);
    for (const name of ["by-plan", "by-list"]) expect(await readdir(join(to(name), "notes"))).toHaveLength(1);
    expect(await readdir(directory.path)).not.toContain("notified");
  });

  /** Two workers of four jobs each until nothing is left to do; how many jobs were seen to run at once. */
  async function workByTwo(records: string): Promise<number> {
    const settings = { url: redis.url, concurrency: 4, command: [process.execPath, RECORDER] };
    const env = { ...process.env, FLEET_RECORDS: records, FLEET_WORKER: JSON.stringify(settings) };
    const workers = [0, 1].map(() => spawn(process.execPath, [WORKER], { env, stdio: "inherit" }));
    onTestFinished(() => workers.forEach((worker) => worker.kill("SIGKILL")));
    let most = 0;
    for (;;) {
      const { waiting, running, delayed } = (await statusOf(redis.url)).total;
      most = Math.max(most, running);
      if (waiting + running + delayed === 0) break;
    }
    for (const worker of workers) worker.kill("SIGTERM");
    await Promise.all(workers.map((worker) => once(worker, "exit")));
    return most;
  }
});

describe("a queue", { timeout: 180_000 }, () => {
  it("that is not there is said to be so, and waited for where that is asked for", async () => {
    await using redis = await startRedis();
    await redis.stop();
    const now = await runBackup(["fleet", "status", "--queue", redis.url]);
    expect(now).toMatchObject({
      code: 1,
      stderr: `backup: no queue at localhost:${redis.port} (nothing listens there); start Redis or Valkey, or correct --queue\n`,
    });
    const later = startBackup(["fleet", "status", "--queue", redis.url, "--wait", "30s", "-q"]);
    await sleep(1500);
    await redis.start();
    expect(await later.result).toMatchObject({ code: 0, stderr: "" });
  });

  it("with a password and TLS is used by both, and the password is in no argument", async () => {
    await using directory = await temporaryDirectory();
    await using server = await startDovecot();
    const tls = { certFile: server.caFile, keyFile: join(server.configDir, "key.pem") };
    await using redis = await startRedis({ password: "hush", tls });
    const secret = join(directory.path, "secret");
    await writeFile(secret, "hush\n", { mode: 0o600 });
    const status = (...args: readonly string[]) => runBackup(["fleet", "status", "--queue", redis.url, "-q", ...args]);
    expect(await status("--queue-secret", secret, "--queue-ca", server.caFile)).toMatchObject({ code: 0, stderr: "" });
    expect((await status("--queue-secret", secret)).stderr).toMatch(/the certificate of localhost:\d+ is not trusted/);
    expect((await status("--queue-ca", server.caFile)).stderr).toMatch(
      /refuses the login; put its password into a file/,
    );
    expect((await runBackup(["fleet", "status"])).stderr).toMatch(/say where the queue is/);
  });
});
