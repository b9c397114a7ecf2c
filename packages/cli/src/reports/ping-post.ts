import { type BackupError, systemCode } from "@backup/core";
import { reportFailed } from "./report-failed.js";

/** Of each try, milliseconds. */
const TIMEOUT_MS = 10_000;
const MOST_REDIRECTS = 5;

export interface Post {
  readonly body: string;
  readonly agent: string;
  readonly signal: AbortSignal;
  /** What could not be done, for messages: the address is a secret, its host is not. */
  readonly what: string;
}

/**
 * Sends a text to an address, and to where it is redirected on the same host.
 * @throws BackupError REPORT_FAILED, transient where another try may help
 */
export async function post(first: URL, { body, agent, signal, what }: Post): Promise<void> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let url = first;
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    let response: Response;
    try {
      response = await fetch(url.href, {
        method: "POST",
        body,
        headers: { "content-type": "text/plain; charset=utf-8", "user-agent": agent },
        redirect: "manual",
        signal: AbortSignal.any([signal, timeout]),
      });
    } catch (error) {
      throw unreached(what, error, timeout);
    }
    const { status, headers } = response;
    const location = headers.get("location");
    // The answer is in the status; a body that breaks off changes nothing about it.
    await response.body?.cancel().catch(() => undefined);
    if (status >= 200 && status < 300) return;
    if (status < 300 || status >= 400 || location === null) throw refused(what, status);
    url = redirected(url, location, what);
  }
  throw reportFailed(`${what}: it redirects more than ${MOST_REDIRECTS} times`);
}

function refused(what: string, status: number): BackupError {
  const transient = status >= 500 || status === 429;
  return reportFailed(`${what}: it answered ${status}${transient ? "" : "; check the address"}`, { transient });
}

/** The same host alone, and never from TLS to none: the text names accounts. */
function redirected(from: URL, location: string, what: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to === undefined || !/^https?:$/.test(to.protocol))
    throw reportFailed(`${what}: it redirects to what is no address`);
  if (to.hostname !== from.hostname)
    throw reportFailed(`${what}: it redirects to ${to.host}; give the address there if you trust it`);
  if (from.protocol === "https:" && to.protocol === "http:")
    throw reportFailed(`${what}: it redirects from https to http`);
  return to;
}

function unreached(what: string, error: unknown, timeout: AbortSignal): BackupError {
  if (timeout.aborted)
    return reportFailed(`${what}: it did not answer within ${TIMEOUT_MS / 1000} s`, { transient: true });
  // fetch says in its cause what happened. Its text alone: other fields may hold the address.
  const reason = error instanceof Error ? error.cause : undefined;
  const code = systemCode(reason) ?? "unknown error";
  const cause = reason instanceof Error ? new Error(reason.message) : undefined;
  if (code === "ENOTFOUND") return reportFailed(`${what}: there is no host of that name`, { cause });
  return reportFailed(`${what}: it cannot be reached (${code})`, { transient: true, cause });
}
