import { readFileSync } from "node:fs";

/** What requests say they come from: `backup/0.1.0`. */
export function userAgent(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string };
  return `backup/${version}`;
}
