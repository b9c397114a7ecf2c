/** A worker that runs until nothing is left, and prints its CPU: FLEET_WORKER is its settings as JSON. */
import { connectQueue, parseQueue, Queues, work } from "@backup/fleet";

const { url, concurrency, command } = JSON.parse(process.env.FLEET_WORKER);
const { signal } = new AbortController();
const redis = await connectQueue({ place: parseQueue(url), patienceMs: 0 }, signal);
const before = process.cpuUsage();
await work({ queues: new Queues(redis), concurrency, command, env: process.env, signal, graceMs: 0, untilEmpty: true });
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ cpuMs: (user + system) / 1000 }));
process.exit(0);
