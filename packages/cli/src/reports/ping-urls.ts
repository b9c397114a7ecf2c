import { BackupError } from "@backup/core";
import type { PingSettings } from "./reporter.js";

/** What is requested when; each may be missing. */
export interface PingUrls {
  readonly start?: URL | undefined;
  readonly success?: URL | undefined;
  readonly fail?: URL | undefined;
}

/** What each setting is called where it was made, for messages. */
export type PingNames = Readonly<Record<keyof PingSettings, string>>;

/** The addresses themselves are secrets: who knows one can ping it. @throws BackupError USAGE, without the address */
export function pingUrls({ url, start, success, fail }: PingSettings, names: PingNames): PingUrls {
  const base = url === undefined ? undefined : parse(url, names.url);
  return {
    start: start === undefined ? base && below(base, "start") : parse(start, names.start),
    success: success === undefined ? base : parse(success, names.success),
    fail: fail === undefined ? base && below(base, "fail") : parse(fail, names.fail),
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
