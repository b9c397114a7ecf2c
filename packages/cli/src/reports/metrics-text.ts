import { Gauge, Registry } from "prom-client";
import { LABELS, type Labels, METRICS, type MetricName, type Row } from "./metric-rows.js";

/** Rows in the text format of Prometheus, version 0.0.4. */
export async function formatMetrics(rows: readonly Row[]): Promise<string> {
  const registry = new Registry();
  for (const [name, help] of Object.entries(METRICS)) {
    const gauge = new Gauge({ name, help, labelNames: [...LABELS], registers: [registry] });
    for (const row of rows) if (row.name === name) gauge.set({ ...row.labels }, row.value);
  }
  return registry.metrics();
}

export interface ParsedMetrics {
  readonly rows: readonly Row[];
  /** Lines that are none of ours. */
  readonly unknown: number;
}

/** Reads what formatMetrics wrote; undefined for the text of somebody else. */
export function parseMetrics(text: string): ParsedMetrics | undefined {
  if (text.trim() === "") return { rows: [], unknown: 0 };
  if (!text.startsWith("# HELP backup_")) return undefined;
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const rows = lines.flatMap((line) => parseRow(line) ?? []);
  return { rows, unknown: lines.length - rows.length };
}

const ROW = /^(\w+)\{((?:\w+="(?:[^"\\\n]|\\[\\n"])*",?)*)\} (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABEL = /(\w+)="((?:[^"\\\n]|\\[\\n"])*)"/g;

function parseRow(line: string): Row | undefined {
  const [, name = "", pairs = "", value = ""] = ROW.exec(line) ?? [];
  const found = new Map([...pairs.matchAll(LABEL)].map(([, label = "", text = ""]) => [label, unescaped(text)]));
  const [action, type, destination] = LABELS.map((label) => found.get(label));
  if (!isMetricName(name) || action === undefined || type === undefined || destination === undefined) return undefined;
  const labels: Labels = { action, type, destination };
  return found.size === LABELS.length ? { name, labels, value: Number(value) } : undefined;
}

function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}

function unescaped(text: string): string {
  return text.replace(/\\([\\n"])/g, (_all, character: string) => (character === "n" ? "\n" : character));
}
