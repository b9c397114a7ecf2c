import { version } from "../version.js";

/** What requests say they come from: `backup/0.1.0`. */
export function userAgent(): string {
  return `backup/${version()}`;
}
