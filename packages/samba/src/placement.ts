import { type Known, type Path, isSafe, readDumpName, unescapeName } from "@backup/core";
import { PRIVATE, STATE } from "./databases.js";
import { DOMAIN } from "./domain.js";
import type { Facts } from "./facts.js";
import { FILES } from "./findings.js";
import { SETTINGS } from "./texts.js";

/** A file of a backup, and where it belongs. */
export interface Placement {
  readonly known: Known;
  /** Below the target. */
  readonly path: Path;
  readonly mode: number;
  /** That of directories which are made for it. */
  readonly directoryMode: number;
}

export interface PlacementOptions {
  readonly facts: Facts;
  /** Instead of the directories that Samba had. */
  readonly privateDirectory?: string | undefined;
  readonly stateDirectory?: string | undefined;
  /** The target is a system that runs: what is no part of Samba has no place there. */
  readonly isSystem: boolean;
}

/** Directory at the target for what is there to be read, and for samba-tool(8). */
const ASIDE = "samba-backup";

/** Where a file of a backup belongs; undefined: nowhere. */
export function placementOf(known: Known, options: PlacementOptions): Placement | undefined {
  const { facts, isSystem } = options;
  const names = systemNames(known.file.path);
  if (!names) return undefined;
  const [top = "", ...rest] = names;
  const placed = (directory: string, mode: number, directoryMode: number): Placement | undefined => {
    const path = [...directory.split("/").filter((name) => name !== ""), ...rest].join("/");
    return isSafe(path) ? { known, path, mode, directoryMode } : undefined;
  };
  if (top === FILES) {
    const path = `/${rest.join("/")}`;
    // smbd takes no other one: users make files there, each its own.
    const directoryMode = path.startsWith(`${facts.usershares}/`) ? 0o1770 : 0o755;
    return placed("", facts.public.includes(path) ? 0o644 : 0o600, directoryMode);
  }
  if (top === PRIVATE) return placed(options.privateDirectory ?? facts.privateDirectory, 0o600, 0o700);
  if (top === STATE) return placed(options.stateDirectory ?? facts.stateDirectory, 0o600, 0o755);
  if ((top === SETTINGS || top === DOMAIN) && !isSystem) return placed(ASIDE, 0o600, 0o700);
  return undefined;
}

/** The names of a path as the system had them; undefined: it is none of a backup's. */
function systemNames(path: Path): readonly string[] | undefined {
  const dump = readDumpName(path);
  const directories = path.split("/").slice(0, -1).map(unescapeName);
  if (!dump || directories.includes(undefined)) return undefined;
  const names = [...directories.filter((name) => name !== undefined), `${dump.name}${dump.extension}`];
  return names.some((name) => name.includes("/")) ? undefined : names;
}
