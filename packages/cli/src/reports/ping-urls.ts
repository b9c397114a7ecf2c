import { BackupError } from "@backup/core";

/** Addresses that are requested; the three go by healthchecks' convention where only `url` is given. */
export interface PingSettings {
  readonly url?: string | undefined;
  readonly start?: string | undefined;
  readonly success?: string | undefined;
  readonly fail?: string | undefined;
}

/** What is requested when; each may be missing. */
export interface PingUrls {
  readonly start?: URL | undefined;
  readonly success?: URL | undefined;
  readonly fail?: URL | undefined;
}

/** The addresses themselves are secrets: who knows one can ping it. @throws BackupError USAGE, without the address */
export function pingUrls({ url, start, success, fail }: PingSettings): PingUrls {
  const base = url === undefined ? undefined : parse(url, "--url");
  return {
    start: start === undefined ? base && below(base, "start") : parse(start, "--start"),
    success: success === undefined ? base : parse(success, "--success"),
    fail: fail === undefined ? base && below(base, "fail") : parse(fail, "--fail"),
  };
}

function parse(text: string, setting: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new BackupError("USAGE", `${setting} takes an address that begins with https:// or http://`);
  if (url.username !== "" || url.password !== "")
    throw new BackupError("USAGE", `${setting} takes an address without user and password`);
  return url;
}

/** https://healthchecks.io/docs/http_api/ */
function below(base: URL, word: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${word}`;
  return url;
}
