/** What a queue costs, and what several workers bring. See USAGE in options.mjs for the command line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
    await enqueueing(options.accounts, work);
    await overhead(Math.min(options.accounts, 2000), work);
    await severalWorkers(options, { cache, work });
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
const overhead = async (count, work) => {
  const redis = await startRedis(work);
  try {
    await backup(["fleet", "enqueue", accountsFile(work, count), "--queue", redis.url, "-q"]);
    const { seconds, cpuMs } = await workers(1, { redis, concurrency: 1, command: ["/bin/true"] });
    const spawned = await spawning(200);
    say(
      `${count} jobs of /bin/true, one at a time: ${((seconds * 1000) / count).toFixed(2)} ms for each, ` +
        `${(cpuMs / count).toFixed(2)} ms of the worker's CPU; to start and end such a process alone takes ${spawned.toFixed(2)} ms`,
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

const accountsFile = (work, count) => {
  const file = join(work, `accounts-${count}.csv`);
  const rows = ["user,destination,server"];
  for (let i = 0; i < count; i++)
    rows.push(`user${i}@example.org,nas${i % 10}:mail/${i % 1000}/user${i},mail${i % 3}.example.org`);
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
const workers = async (number, settings) => {
  const started = performance.now();
  const { redis, ...rest } = settings;
  const env = { ...process.env, FLEET_WORKER: JSON.stringify({ url: redis.url, ...rest }) };
  const ended = Array.from({ length: number }, async () => {
    const child = spawn(process.execPath, [WORKER], { env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    for await (const piece of child.stdout) output += piece;
    return JSON.parse(output);
  });
  const results = await Promise.all(ended);
  return { seconds: (performance.now() - started) / 1000, cpuMs: results.reduce((sum, { cpuMs }) => sum + cpuMs, 0) };
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
  let output = "";
  for await (const piece of child.stdout) output += piece;
  return Number(/used_memory:(\d+)/.exec(output)[1]);
};

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await once(server.close(), "close");
  return port;
};
