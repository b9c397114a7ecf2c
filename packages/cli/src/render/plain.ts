import { type BackupEvent, type Damage, isDamagedFile } from "@backup/core";
import { type Progress, type ProgressView, progressBar, progressLines } from "./progress.js";
import { formatRestorePlan, formatRestored, formatRestoring } from "./restored.js";
import type { Output, RenderOptions, Renderer } from "./renderer.js";
import { formatSummary } from "./summary.js";
import { formatBytes, formatCount, printable } from "./text.js";

/** Failures that are named one by one; the rest is counted. */
const FAILURES_SHOWN = 20;

/**
 * Text for a person: what is going on to `out`, what is wrong to `err`. A progress bar where `err` is a terminal.
 * Quiet leaves what is wrong.
 */
export function plainRenderer(
  out: Output,
  err: Output,
  { quiet, verbose, debug, bar = progressBar }: RenderOptions & { readonly bar?: () => ProgressView },
): Renderer {
  let progress: ProgressView | undefined;
  /** What is durable, of all. */
  let stored: Progress | undefined;
  let failures = 0;
  let dryRun = false;
  let unit = "message";
  const say = (line: string): void => {
    if (!quiet) out.write(`${printable(line)}\n`);
  };
  const show = (state: Progress): void => {
    if (quiet) return;
    progress ??= err.isTTY ? bar() : progressLines(say);
    progress.update(state);
  };
  const warn = (line: string): void => {
    progress?.close();
    err.write(`${printable(line)}\n`);
  };
  return {
    event(event) {
      switch (event.type) {
        case "start":
          dryRun = event.dryRun;
          unit = event.unit ?? "message";
          return say(`${event.source} → ${event.destination}${event.dryRun ? " (dry run)" : ""}`);
        case "collection":
          return verbose ? say(formatCollection(event, unit)) : undefined;
        case "plan":
          say(formatPlan(event));
          // Shown, and the time taken, from the beginning: the first batch may be long in coming.
          stored = { items: 0, bytes: 0, totalItems: event.add, totalBytes: event.bytes };
          if (event.add > 0 && !dryRun) show(stored);
          return undefined;
        case "restoring":
          return verbose ? say(formatRestoring(event)) : undefined;
        case "restore-plan":
          say(formatRestorePlan(event));
          if (event.missing > 0 && !dryRun)
            show({ items: 0, bytes: 0, totalItems: event.missing, totalBytes: event.bytes });
          return undefined;
        case "progress":
          stored = event;
          return show(event);
        case "sending":
          return stored && show({ ...stored, bytes: stored.bytes + event.bytes });
        case "transport":
          return say(`${event.host}: ${event.message}`);
        case "warning":
          return warn(`warning: ${event.message}`);
        case "failed":
          if (++failures <= FAILURES_SHOWN || verbose) warn(`FAILED: ${event.message}`);
          else if (failures === FAILURES_SHOWN + 1) warn("FAILED: … and more; -v or --json names all");
          return undefined;
        case "damage":
          return warn(`${labelOf(event)}: ${event.message}`);
        case "debug":
          return debug ? warn(`debug: ${event.message}`) : undefined;
        case "end":
          progress?.close();
          return say(formatSummary(event.report));
        case "restored":
          progress?.close();
          return say(formatRestored(event.report));
        // For programs alone.
        case "lease":
        default:
          return undefined;
      }
    },
    close() {
      progress?.close();
    },
  };
}

function labelOf(damage: Damage): string {
  if (isDamagedFile(damage)) return "DAMAGED";
  return damage.kind === "changed" ? "CHANGED" : "MISSING";
}

function formatCollection(event: BackupEvent & { readonly type: "collection" }, unit: string): string {
  const { name, state, items, added, moved, renamed, removed } = event;
  if (state === "unchanged") return `  ${name}: unchanged`;
  const changes = [
    [added, "new"],
    [moved, "moved"],
    [renamed, "flags"],
    [removed, "deleted"],
  ].filter(([count]) => count !== 0);
  const what = changes.map(([count, word]) => `${count} ${word}`).join(", ") || "nothing to do";
  return `  ${name}: ${state === "vanished" ? "gone at the source, " : ""}${formatCount(items, unit)}, ${what}`;
}

function formatPlan(event: BackupEvent & { readonly type: "plan" }): string {
  const { collections, add, bytes, move, rename, remove, unit } = event;
  if (unit === "file" && add + move + remove > 0)
    return `${add} new or changed (${formatBytes(bytes)}), ${move} moved, ${remove} deleted`;
  if (unit === "file") return "no files to copy, move or delete";
  if (add + move + rename + remove === 0) return `${formatCount(collections, "folder")}: nothing to do`;
  return `${formatCount(collections, "folder")}: ${add} new (${formatBytes(bytes)}), ${move} moved, ${rename} flags, ${remove} deleted`;
}
