import type { Notifier } from "@backup/core";
import { ownHostName } from "./host-name.js";
import { type PingSettings, pingUrls } from "./ping-urls.js";
import { post } from "./ping-post.js";
import { givenUp } from "./report-failed.js";
import { reportText } from "./report-text.js";
import { userAgent } from "./user-agent.js";

/** Bytes. Who keeps a body keeps no more of it. */
const LONGEST_BODY = 10_000;

/** Requests an address when a run begins, and one when it ended well or not well. @throws BackupError USAGE */
export function openPing(settings: PingSettings): Notifier {
  const { start, success, fail } = pingUrls(settings);
  const hosts = new Set([start, success, fail].flatMap((url) => url?.host ?? []));
  const agent = userAgent();
  const ping = async (url: URL, body: string, signal: AbortSignal): Promise<void> => {
    const what = `${url.host} could not be pinged`;
    try {
      await post(url, { body, agent, signal, what });
    } catch (error) {
      // What the signal itself ended says nothing.
      throw signal.aborted ? givenUp(what, signal, error) : error;
    }
  };
  return {
    name: `ping of ${[...hosts].join(", ")}`,
    async started(signal) {
      if (start !== undefined) await ping(start, "", signal);
    },
    async ended(result, signal) {
      // Nothing was backed up: no reason to be content.
      if (result.outcome === "ok" && result.dryRun) return;
      const url = result.outcome === "ok" ? success : fail;
      if (url !== undefined) await ping(url, cut(reportText(result, ownHostName())), signal);
    },
  };
}

/** Whole characters. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= LONGEST_BODY) return text;
  return `${new TextDecoder().decode(bytes.subarray(0, LONGEST_BODY - 10), { stream: true })}\n…\n`;
}
