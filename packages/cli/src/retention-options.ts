import { BackupError, type Retention } from "@backup/core";
import type { ActionOption } from "./types/action-type.js";

/** How many snapshots to keep; the words of `retention` in a plan too. */
export const RETENTION_OPTIONS = {
  "keep-last": { type: "number", requiresArg: true, describe: "Snapshots to keep: the newest so many" },
  "keep-daily": { type: "number", requiresArg: true, describe: "The newest of each of so many days that have one" },
  "keep-weekly": { type: "number", requiresArg: true, describe: "The newest of each of so many weeks (ISO 8601)" },
  "keep-monthly": { type: "number", requiresArg: true, describe: "The newest of each of so many months" },
  "keep-yearly": { type: "number", requiresArg: true, describe: "The newest of each of so many years" },
} as const satisfies Record<string, ActionOption>;

/** By their names on the command line. */
export type RetentionFields = { readonly [Name in keyof typeof RETENTION_OPTIONS]?: number | undefined };

/** @throws BackupError USAGE where a number is none, or all are 0 */
export function toRetention(fields: RetentionFields): Retention {
  const count = (name: keyof RetentionFields): number => {
    const value = fields[name] ?? 0;
    if (Number.isInteger(value) && value >= 0) return value;
    throw new BackupError("USAGE", `--${name} takes a whole number, 0 or more`);
  };
  const retention = {
    last: count("keep-last"),
    daily: count("keep-daily"),
    weekly: count("keep-weekly"),
    monthly: count("keep-monthly"),
    yearly: count("keep-yearly"),
  };
  if (Object.values(retention).some((kept) => kept > 0)) return retention;
  const names = Object.keys(RETENTION_OPTIONS).map((name) => `--${name}`);
  throw new BackupError("USAGE", `nothing says what to keep; give one of ${names.join(", ")} a number above 0`);
}
