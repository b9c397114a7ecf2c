/** What a queue costs, and what several workers bring. See USAGE in options.mjs for the command line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { startDovecot } from "./dovecot.mjs";
import { lock } from "./lock.mjs";
import { machine, machineLine } from "./machine.mjs";
import { mailbox, SEED } from "./mailbox.mjs";
import { startLink } from "./remote-link.mjs";
import { mixedSizes } from "./sizes.mjs";

const BACKUP = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));
const WORKER = fileURLToPath(new URL("fleet-worker.mjs", import.meta.url));
const CHILD = fileURLToPath(new URL("fleet-child.sh", import.meta.url));

const say = (line) => console.log(line);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/**
 * @param {import("./options.mjs").Options} options
 * @returns {Promise<boolean>}
 */
export const runFleet = async (options) => {
  const cache = resolve(options.cache);
  const unlock = lock(cache);
  const work = mkdtempSync(join(tmpdir(), "bench-fleet-"));
  try {
    say(machineLine(machine(work)));
    const wanted = (part) => options.only?.includes(part) ?? true;
    if (wanted("enqueue")) await enqueueing(options.accounts, work);
    if (wanted("jobs")) await overhead(Math.min(options.accounts, 2000), { rounds: options.rounds, work });
    if (wanted("refused")) await refused(options.accounts, work);
    if (wanted("workers")) await severalWorkers(options, { cache, work });
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
    unlock();
  }
};

/** How long it takes to enqueue, and what Redis holds of it. */
const enqueueing = async (count, work) => {
  const redis = await startRedis(work);
  try {
    const before = await memoryOf(redis);
    const file = accountsFile(work, count);
    const seconds = await backup(["fleet", "enqueue", file, "--queue", redis.url, "-q"]);
    const bytes = (await memoryOf(redis)) - before;
    say(`enqueue ${count} accounts: ${seconds.toFixed(1)} s; Redis: ${(bytes / count).toFixed(0)} bytes for each`);
    const again = await backup(["fleet", "enqueue", file, "--queue", redis.url, "-q"]);
    say(`enqueue the same again: ${again.toFixed(1)} s`);
    const status = await backup(["fleet", "status", "--queue", redis.url, "--late", "26h", "-q"]);
    say(`status --late: ${status.toFixed(1)} s`);
  } finally {
    await redis.stop();
  }
};

/** Jobs that do nothing: what is left is the worker's own work, and the start of a process. */
const overhead = async (count, { rounds, work }) => {
  const redis = await startRedis(work);
  const figures = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const file = accountsFile(work, count, { prefix: `r${round}-` });
      await backup(["fleet", "enqueue", file, "--queue", redis.url, "-q"]);
      const before = await spawning(200);
      const { ms, cpuMs } = await workers(1, { redis, concurrency: 1, command: ["/bin/true"] });
      const alone = (before + (await spawning(200))) / 2;
      figures.push({ each: ms / count, alone, besides: ms / count - alone, cpu: cpuMs / count });
    }
    const { each, alone, besides, cpu } = figures.toSorted((a, b) => a.besides - b.besides)[Math.floor(rounds / 2)];
    say(
      `${count} jobs of /bin/true, one at a time: ${each.toFixed(2)} ms for each; to start and end such a process alone: ` +
        `${alone.toFixed(2)} ms; besides: ${besides.toFixed(2)} ms; CPU of the worker, with starting the process: ${cpu.toFixed(2)} ms`,
    );
  } finally {
    await redis.stop();
  }
};

/** Accounts of which 3 % have a wrong password, with nothing to do for the others. @throws Error where the end is not as it has to be */
const refused = async (count, work) => {
  const redis = await startRedis(work);
  try {
    const wrong = Math.round(count * 0.03);
    const tried = join(work, "refused");
    writeFileSync(tried, "");
    const before = await memoryOf(redis);
    await backup(["fleet", "enqueue", accountsFile(work, count, { wrong }), "--queue", redis.url, "-q"]);
    const settings = { redis, concurrency: 4, command: [CHILD], env: { FLEET_REFUSED: tried } };
    const { ms, cpuMs } = await workers(1, settings);
    const bytes = (await memoryOf(redis)) - before;
    const { total } = await statusOf(redis);
    const names = readFileSync(tried, "utf8").split("\n").filter(Boolean);
    const isRight = total.done === count - wrong && total.failed === wrong && total.waiting + total.delayed === 0;
    if (!isRight || names.length !== wrong || new Set(names).size !== wrong)
      throw new Error(`${wrong} should have been tried once: ${names.length} tries, ${JSON.stringify(total)}`);
    say(
      `${count} accounts, ${wrong} with a wrong password: ${total.done} done, ${total.failed} failed, each of them tried once; ` +
        `${(ms / 1000).toFixed(0)} s by one worker, ${(ms / count).toFixed(2)} ms for each, of its CPU ${(cpuMs / count).toFixed(2)} ms; ` +
        `Redis: ${(bytes / count).toFixed(0)} bytes for each`,
    );
  } finally {
    await redis.stop();
  }
};

/** Milliseconds from spawn to exit of a process that does nothing, one at a time, with pipes as a worker has them. */
const spawning = async (count) => {
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    const child = spawn("/bin/true", [], { stdio: ["ignore", "pipe", "pipe"], detached: true });
    child.stdout.resume();
    child.stderr.resume();
    await once(child, "close");
  }
  return (performance.now() - started) / count;
};

/** Small mailboxes behind a long way: by one worker, and by three. */
const severalWorkers = async ({ rounds, mailboxes, rtts: [rtt = 100] }, { cache, work }) => {
  const box = mailbox({ cache: join(cache, "mailboxes"), name: "fleet-20", sizes: mixedSizes(20, SEED) });
  const server = await startDovecot({ maildir: box.dir, compress: false });
  const link = await startLink(server.port);
  const redis = await startRedis(work);
  try {
    await link.stretch(rtt);
    const times = { 1: [], 3: [] };
    for (let round = 0; round < rounds; round++)
      for (const number of [1, 3]) {
        const file = mailboxesFile(join(work, `to-${round}-${number}`), { count: mailboxes, port: link.port, server });
        await backup(["fleet", "enqueue", file, "--queue", redis.url, "-q"]);
        const { seconds } = await workers(number, { redis, concurrency: 1, command: [process.execPath, BACKUP] });
        times[number].push(seconds);
        say(
          `${mailboxes} mailboxes of 20 messages at ${rtt} ms, workers: ${number}, one job at a time each: ${seconds.toFixed(1)} s`,
        );
      }
    say(`three workers are ${(median(times[1]) / median(times[3])).toFixed(2)} times as fast as one`);
  } finally {
    await redis.stop();
    await link.stop();
    await server.stop();
  }
};

/** A list of so many accounts; the users of some of them, spread over all, are called wrong. */
const accountsFile = (work, count, { wrong = 0, prefix = "" } = {}) => {
  const file = join(work, "accounts.csv");
  const rows = ["user,destination,server"];
  for (let i = 0; i < count; i++) {
    const user = `${prefix}${Math.floor((i * wrong) / count) < Math.floor(((i + 1) * wrong) / count) ? "wrong" : "user"}${i}`;
    rows.push(`${user}@example.org,nas${i % 10}:mail/${i % 1000}/${user},mail${i % 3}.example.org`);
  }
  writeFileSync(file, `${rows.join("\n")}\n`);
  return file;
};

const mailboxesFile = (directory, { count, port, server }) => {
  mkdirSync(directory);
  const file = join(directory, "accounts.csv");
  const rows = ["user,destination,server,srcsecret,tls-ca"];
  for (let i = 0; i < count; i++)
    rows.push(
      [server.user, join(directory, String(i)), `imaps://localhost:${port}`, server.secretFile, server.caFile].join(
        ",",
      ),
    );
  writeFileSync(file, `${rows.join("\n")}\n`);
  return file;
};

/** Seconds that the command takes. */
const backup = async (args) => {
  const started = performance.now();
  const child = spawn(process.execPath, [BACKUP, ...args], { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = await once(child, "close");
  if (code !== 0 && code !== 3) throw new Error(`backup ${args.join(" ")}: exit status ${code}`);
  return (performance.now() - started) / 1000;
};

/** So many workers until nothing is left. Their CPU is their own, not that of the commands. */
const workers = async (number, { redis, env = {}, ...rest }) => {
  const started = performance.now();
  const all = { ...process.env, ...env, FLEET_WORKER: JSON.stringify({ url: redis.url, ...rest }) };
  const ended = Array.from({ length: number }, async () => {
    const child = spawn(process.execPath, [WORKER], { env: all, stdio: ["ignore", "pipe", "inherit"] });
    return JSON.parse(await textOf(child.stdout));
  });
  const results = await Promise.all(ended);
  return {
    // With the start of the workers.
    seconds: (performance.now() - started) / 1000,
    ms: Math.max(...results.map(({ ms }) => ms)),
    cpuMs: results.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
  };
};

const textOf = async (stream) => {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
};

const statusOf = async ({ url }) => {
  const args = ["fleet", "status", "--queue", url, "--json"];
  const child = spawn(process.execPath, [BACKUP, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(await textOf(child.stdout));
};

const startRedis = async (work) => {
  const directory = mkdtempSync(join(work, "redis-"));
  const port = await freePort();
  const args = ["--bind", "127.0.0.1", "--port", String(port), "--dir", directory, "--save", "", "--appendonly", "yes"];
  const child = spawn("redis-server", args, { stdio: "ignore" });
  const ended = once(child, "exit");
  const url = `redis://localhost:${port}`;
  await backup(["fleet", "status", "--queue", url, "--wait", "20s", "-q"]);
  return { url, port, stop: async () => (child.kill(), await ended) };
};

const memoryOf = async ({ port }) => {
  const child = spawn("redis-cli", ["-p", String(port), "info", "memory"], { stdio: ["ignore", "pipe", "inherit"] });
  return Number(/used_memory:(\d+)/.exec(await textOf(child.stdout))[1]);
};

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await once(server.close(), "close");
  return port;
};
