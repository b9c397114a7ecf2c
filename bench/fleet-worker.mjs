/** A worker that runs until nothing is left, and prints its CPU and its time: FLEET_WORKER is its settings as JSON. */
import { connectQueue, parseQueue, Queues, work } from "@backup/fleet";

const { url, concurrency, command } = JSON.parse(process.env.FLEET_WORKER);
const { signal } = new AbortController();
const redis = await connectQueue({ place: parseQueue(url), patienceMs: 0 }, signal);
// As the command itself has it: process.env asks the system for each variable.
const env = { ...process.env };
const before = process.cpuUsage();
const started = performance.now();
await work({ queues: new Queues(redis), concurrency, command, env, signal, graceMs: 0, untilEmpty: true });
const ms = performance.now() - started;
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ cpuMs: (user + system) / 1000, ms }));
process.exit(0);
