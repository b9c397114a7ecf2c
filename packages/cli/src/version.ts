import { readFileSync } from "node:fs";
import { BackupError } from "@backup/core";

/** Of this program. @throws BackupError USAGE where package.json does not say */
export function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed === "object" && parsed !== null && "version" in parsed) return String(parsed.version);
  throw new BackupError("USAGE", "the installation is damaged: package.json says no version; install backup again");
}
