import type { Path } from "@backup/core";

/** An empty file that stands for its directory where there are none without files: in object stores. */
const MARKER = ".backup-directory";

export function markerOf(directory: Path): Path {
  return `${directory}/${MARKER}`;
}

export function isMarker(name: string): boolean {
  return name === MARKER;
}
