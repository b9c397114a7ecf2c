import type { DrillReport } from "@backup/core";
import prettyMs from "pretty-ms";
import { formatBytes, formatCount, jsonLine } from "./text.js";

/** A drill that is over. */
export interface Drilled extends DrillReport {
  readonly destination: string;
  readonly source: string;
  /** That the messages came back to; undefined: this machine. */
  readonly account: string | undefined;
}

export function isProven({ items, good, isLeft }: DrillReport): boolean {
  return good === items && !isLeft;
}

/** One object, on a line. What did not come back was said before, as events. */
export function drilledJson({ isLeft, ...drilled }: Drilled): string {
  return jsonLine({ type: "drilled", ok: isProven({ ...drilled, isLeft }), ...drilled, left: isLeft });
}

export interface DrilledWords {
  /** How items came back, and from where. */
  readonly how?: string | undefined;
  /** What an item is called. */
  readonly unit?: string | undefined;
}

/** The one line of a drill. */
export function formatDrilled(
  { destination, items, good, bytes, seconds }: Drilled,
  { how, unit = "message" }: DrilledWords,
): string {
  const where = how === undefined ? "" : `, ${how}`;
  const cost = `${formatBytes(bytes)}, ${prettyMs(seconds * 1000)}`;
  return `drill: ${good} of ${formatCount(items, unit)} of ${destination} came back byte for byte${where} (${cost})`;
}
