import { readFile } from "node:fs/promises";
import { type EventSink, type Notifier, isBackupError, systemCode, throwIfAborted } from "@backup/core";
import { takeFileTurn } from "./file-turn.js";
import { mergeRows, rowsOf } from "./metric-rows.js";
import { type ParsedMetrics, formatMetrics, parseMetrics } from "./metrics-text.js";
import { replaceFile } from "./replace-file.js";
import { reportFailed } from "./report-failed.js";

/** Writes how a run went for Prometheus' textfile collector. Several runs may share the file: each keeps the others' rows. */
export function openMetrics(file: string, onEvent: EventSink): Notifier {
  return {
    name: `metrics in ${file}`,
    async ended(result, signal) {
      try {
        throwIfAborted(signal);
        // Jobs that cron starts in the same minute often end in the same second.
        await using _turn = await takeFileTurn(file, signal);
        const existing = await readExisting(file, onEvent);
        await replaceFile(file, await formatMetrics(mergeRows(existing, rowsOf(result))));
      } catch (error) {
        if (isBackupError(error, "REPORT_FAILED")) throw error;
        const why = signal.aborted ? "there was no more time" : (systemCode(error) ?? "unknown error");
        throw reportFailed(`the metrics could not be written to ${file} (${why})`, { cause: error });
      }
    },
  };
}

async function readExisting(file: string, onEvent: EventSink): Promise<ParsedMetrics["rows"]> {
  const parsed = parseMetrics(await readIfThere(file));
  if (parsed === undefined)
    throw reportFailed(`the metrics were not written: ${file} holds what backup did not write; name another file`);
  if (parsed.unknown > 0) {
    const message = `${file} held ${parsed.unknown} lines that make no sense, and they are gone; nobody else may write there`;
    onEvent({ type: "warning", code: "METRICS_REPLACED", message });
  }
  return parsed.rows;
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw error;
  }
}
