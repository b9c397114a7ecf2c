import type { Answer } from "./calls.js";

/** What rclone says that a remote can do (`operations/fsinfo`; rclone.org/overview, "Features"). */
export interface Facts {
  /** Renames files, or copies them, without their bytes being sent again. */
  readonly moves: boolean;
  readonly copies: boolean;
  /** Keeps directories that nothing is in. */
  readonly emptyDirectories: boolean;
  /** Lists the times that files were given. Not where each would take a request of its own. */
  readonly times: boolean;
  /** A file shows under its name before it is whole, so that it has to be renamed then. */
  readonly partial: boolean;
  /** Knows the SHA-256 of its files. */
  readonly sha256: boolean;
}

/** Coarser than that is no time of a file, nanoseconds. */
const COARSEST = 1e9;

export function factsFrom(answer: Answer): Facts {
  const features = recordOf(answer["Features"]);
  const hashes: readonly unknown[] = Array.isArray(answer["Hashes"]) ? answer["Hashes"] : [];
  const has = (name: string): boolean => features[name] === true;
  return {
    moves: has("Move"),
    copies: has("Copy"),
    emptyDirectories: has("CanHaveEmptyDirectories"),
    times: !has("SlowModTime") && typeof answer["Precision"] === "number" && answer["Precision"] <= COARSEST,
    // Versions before 1.63 do not tell; what cannot rename stores objects, and those are whole or not there.
    partial: "PartialUploads" in features ? has("PartialUploads") && has("Move") : has("Move"),
    sha256: hashes.includes("sha256"),
  };
}

function recordOf(value: unknown): Answer {
  return typeof value === "object" && value !== null ? (value as Answer) : {};
}

/** Of a remote that was not asked yet. */
export const NO_FACTS: Facts = {
  moves: true,
  copies: true,
  emptyDirectories: true,
  times: true,
  partial: true,
  sha256: false,
};
