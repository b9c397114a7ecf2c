import { BackupError, isBackupError, systemCode, throwIfAborted } from "@backup/core";
import pRetry from "p-retry";

/** What an authorization server answers: fields, or the error of RFC 6749, section 5.2. */
export type Answer =
  | { readonly ok: true; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly error: string; readonly description: string };

/** Of each try, milliseconds. */
const TIMEOUT_MS = 15_000;
/** Largest answer, characters. */
const LIMIT = 256 * 1024;
const TRIES = { retries: 3, minTimeout: 500, maxTimeout: 5000, randomize: true } as const;
const UNTRUSTED = /^(?:CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/;

/**
 * An address where tokens may be sent to: https, or http on this machine (RFC 6749, section 3.2; RFC 8252, section 8.3).
 * @throws what `wrong` makes
 */
export function endpointUrl(text: string, wrong: (what: string) => BackupError): URL {
  if (!URL.canParse(text)) throw wrong("is no address; write https://host/path");
  const url = new URL(text);
  const isHere = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isHere))
    throw wrong("is not https://, and tokens are never sent unencrypted");
  if (url.username !== "" || url.password !== "") throw wrong("holds a user or a password; write it without");
  return url;
}

/**
 * Posts a form (RFC 6749, appendix B) and reads the answer; again while it fails with what may go away by itself.
 * @throws BackupError ABORTED, CONNECTION_REFUSED, HOST_UNKNOWN, PROTOCOL, TIMEOUT, TLS_UNTRUSTED
 */
export async function askEndpoint(
  url: URL,
  fields: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<Answer> {
  throwIfAborted(signal);
  const given = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined);
  try {
    return await pRetry(() => post(url, new URLSearchParams(given), signal), {
      ...TRIES,
      signal,
      shouldRetry: ({ error }) => !signal.aborted && isBackupError(error) && error.transient,
    });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}

async function post(url: URL, body: URLSearchParams, signal: AbortSignal): Promise<Answer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: { accept: "application/json" },
      // Where else a token goes is not for an answer to say.
      redirect: "manual",
      signal: AbortSignal.any([signal, timeout]),
    });
    status = response.status;
    text = await readText(response);
  } catch (error) {
    if (isBackupError(error)) throw error;
    throw unreached(url, error, timeout);
  }
  if (status >= 500 || status === 429)
    throw new BackupError("PROTOCOL", `${url.host} answered ${status} when asked for a token; try again later`, {
      transient: true,
    });
  return toAnswer(url, status, text);
}

/** Also that of a status that says nothing: what counts is what an OAuth2 server would write. */
function toAnswer(url: URL, status: number, text: string): Answer {
  const fields = parse(text);
  if (fields && typeof fields.error === "string")
    return {
      ok: false,
      error: fields.error,
      description: typeof fields.error_description === "string" ? fields.error_description : "",
    };
  if (fields && status === 200) return { ok: true, fields };
  throw new BackupError(
    "PROTOCOL",
    `${url.host} does not answer ${url.pathname} as an OAuth2 server does (status ${status}); check the address`,
  );
}

async function readText(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    if (text.length > LIMIT)
      throw new BackupError("PROTOCOL", `${new URL(response.url).host} answers without end; check the address`);
  }
  return text;
}

/** What JSON.parse says of a wrong text quotes it, and it may be a token: it is not told. */
function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function unreached({ host, hostname }: URL, error: unknown, timeout: AbortSignal): BackupError {
  if (timeout.aborted)
    return new BackupError("TIMEOUT", `${host} did not answer within ${TIMEOUT_MS / 1000} s; try again later`, {
      transient: true,
    });
  // fetch says in its cause what happened.
  const reason = error instanceof Error ? error.cause : undefined;
  const code = systemCode(reason) ?? "unknown error";
  const cause = reason instanceof Error ? new Error(reason.message) : undefined;
  if (code === "ENOTFOUND")
    return new BackupError("HOST_UNKNOWN", `there is no host named ${hostname}; check the spelling`, { cause });
  if (UNTRUSTED.test(code))
    return new BackupError(
      "TLS_UNTRUSTED",
      `the certificate of ${host} is not trusted (${code}); nothing was sent. If it is yours, name its authority's ` +
        "file in the variable NODE_EXTRA_CA_CERTS",
      { cause },
    );
  return new BackupError(
    "CONNECTION_REFUSED",
    `${host} cannot be reached (${code}); check the network, and try again later`,
    { transient: true, cause },
  );
}
