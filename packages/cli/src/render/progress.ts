import cliProgress from "cli-progress";
import prettyMs from "pretty-ms";
import { formatBytes, formatCount } from "./text.js";

/** How far a transfer is. */
export interface Progress {
  readonly items: number;
  readonly bytes: number;
  readonly totalItems: number;
  readonly totalBytes: number;
}

/** Messages, bytes, rate and time left. */
export function formatProgress({ items, bytes, totalItems, totalBytes }: Progress, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? (bytes * 1000) / elapsedMs : 0;
  const left = rate > 0 ? formatSeconds(Math.ceil(Math.max(0, totalBytes - bytes) / rate)) : "?";
  return (
    `${items.toLocaleString("en")} of ${formatCount(totalItems, "message")}, ` +
    `${formatBytes(bytes)} of ${formatBytes(totalBytes)}, ${formatBytes(rate)}/s, ${left} left`
  );
}

function formatSeconds(seconds: number): string {
  return seconds === 0 ? "0s" : prettyMs(seconds * 1000);
}

export interface ProgressView {
  update(progress: Progress): void;
  close(): void;
}

/** How bars look, whether there is one or many. */
export const BAR_STYLE = {
  barCompleteChar: "█",
  barIncompleteChar: "░",
  hideCursor: true,
  clearOnComplete: true,
  stopOnComplete: false,
  fps: 5,
  gracefulExit: false,
} as const;

/** A bar that redraws itself; for a terminal. */
export function progressBar(): ProgressView {
  const started = performance.now();
  const bar = new cliProgress.SingleBar({ ...BAR_STYLE, format: "{bar} {percentage}%  {text}", barsize: 24 });
  let shown = false;
  return {
    update(progress) {
      const payload = { text: formatProgress(progress, performance.now() - started) };
      // The announced sizes are estimates: the bar never runs over its end.
      const value = Math.min(progress.bytes, progress.totalBytes);
      if (!shown) bar.start(progress.totalBytes, value, payload);
      else bar.update(value, payload);
      shown = true;
    },
    close() {
      if (shown) bar.stop();
      shown = false;
    },
  };
}

/** A line every ten seconds; for logs. */
export function progressLines(print: (line: string) => void, everyMs = 10_000): ProgressView {
  const started = performance.now();
  let next = started + everyMs;
  return {
    update(progress) {
      const now = performance.now();
      if (now < next) return;
      next = now + everyMs;
      print(formatProgress(progress, now - started));
    },
    close() {},
  };
}
