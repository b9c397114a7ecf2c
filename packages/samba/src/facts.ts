import { BackupError } from "@backup/core";
import type { Machine } from "./machine.js";
import type { Settings } from "./settings.js";

/** What a restore has to know of the Samba that was backed up: a file of the backup. */
export interface Facts {
  readonly format: 1;
  /** Its version. */
  readonly samba: string;
  readonly serverRole: string;
  /** Absolute paths. */
  readonly smbConf: string;
  readonly privateDirectory: string;
  readonly stateDirectory: string;
  readonly pidDirectory: string;
  readonly usershares?: string | undefined;
  /** The databases are in the archive of a domain. */
  readonly isDomain: boolean;
  /** Paths of the files that everybody may read. */
  readonly public: readonly string[];
}

export const FACTS_FILE = "samba.json";

export interface FactsOptions {
  readonly machine: Machine;
  readonly settings: Settings;
  /** The main file. */
  readonly path: string;
  /** All of them. */
  readonly files: readonly string[];
  readonly isDomain: boolean;
}

export async function factsOf({ machine, settings, path, files, isDomain }: FactsOptions): Promise<Facts> {
  const { stdout: version } = await machine.run(["testparm", "-V"], { accept: [1] });
  const find = ["find", "-H", ...files, "-prune", "-perm", "-004", "-print0"] as const;
  const { stdout: found } = await machine.run(find, { accept: [1] });
  const { serverRole, privateDirectory, stateDirectory, pidDirectory, usershares } = settings;
  return {
    format: 1,
    samba: version
      .toString()
      .replace(/^Version\s+/, "")
      .trim(),
    serverRole,
    smbConf: path,
    privateDirectory,
    stateDirectory,
    pidDirectory,
    usershares,
    isDomain,
    public: found.toString().split("\0").slice(0, -1),
  };
}

/** @throws BackupError PROTOCOL */
export function readFacts(text: string): Facts {
  const value: unknown = JSON.parse(text);
  if (isFacts(value)) return value;
  const message = `${FACTS_FILE} of this backup cannot be understood; a newer version of this program may have made it`;
  throw new BackupError("PROTOCOL", message);
}

function isFacts(value: unknown): value is Facts {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const isPath = (path: unknown): boolean => typeof path === "string" && path.startsWith("/");
  return (
    fields["format"] === 1 &&
    ["smbConf", "privateDirectory", "stateDirectory", "pidDirectory"].every((name) => isPath(fields[name])) &&
    (fields["usershares"] === undefined || isPath(fields["usershares"])) &&
    typeof fields["isDomain"] === "boolean" &&
    Array.isArray(fields["public"]) &&
    fields["public"].every(isPath)
  );
}
