import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type Counts, type FleetStatus, fleetStatus } from "./status.js";
import type { Queues } from "./queues.js";
import type { Verdict } from "./verdict.js";

/** What a worker did since it was started. */
export class WorkerMetrics {
  readonly registry = new Registry();
  readonly #runs = new Counter({
    name: "backup_fleet_runs_total",
    help: "Runs of this worker, by what became of their jobs",
    labelNames: ["verdict"],
    registers: [this.registry],
  });
  readonly #seconds = new Histogram({
    name: "backup_fleet_run_seconds",
    help: "How long they took",
    buckets: [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000],
    registers: [this.registry],
  });

  count(verdict: Verdict["is"], seconds: number): void {
    this.#runs.inc({ verdict });
    this.#seconds.observe(seconds);
  }
}

/** The state of the whole fleet in the text format of Prometheus. */
export async function fleetMetrics(
  queues: Queues,
  options: { readonly lateMs: number; readonly now: number },
): Promise<string> {
  return await formatStatus(await fleetStatus(queues, { ...options, most: 0 }));
}

export async function formatStatus({ accounts, hosts, late }: FleetStatus): Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
  gauge("backup_fleet_accounts", "Accounts that are known").set(accounts);
  gauge("backup_fleet_late_accounts", "Accounts without a success for too long").set(late.length);
  const jobs = gauge("backup_fleet_jobs", "Jobs by their state", ["host", "state"]);
  for (const { host, ...counts } of hosts)
    for (const [state, count] of Object.entries<number>(counts satisfies Counts)) jobs.set({ host, state }, count);
  return await registry.metrics();
}
