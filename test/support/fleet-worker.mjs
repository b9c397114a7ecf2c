// A worker that notices sooner than one of a real fleet that another one has died: FLEET_WORKER is its settings as JSON.
import { Queues, connectQueue, parseQueue, work } from "@backup/fleet";

const { url, concurrency, command } = JSON.parse(process.env.FLEET_WORKER ?? "");
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
const redis = await connectQueue({ place: parseQueue(url), patienceMs: 60_000 }, stop.signal);
await work({
  queues: new Queues(redis),
  concurrency,
  command,
  env: process.env,
  signal: stop.signal,
  graceMs: 20_000,
  timing: { idleMs: 100, lockMs: 4000 },
  pauses: { partlyMs: 1000, busyMs: 300, failureMs: 300 },
});
process.exit(0);
