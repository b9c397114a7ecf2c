import { createHash } from "node:crypto";
import { basename } from "node:path/posix";
import { type Directory, PRIVATE, type Path } from "@backup/core";
import { inLanes } from "./lanes.js";
import { isMarker } from "./marker.js";
import type { Entry, RemoteDirectory } from "./remote-directory.js";

export function childOf(directory: Path, name: string): Path {
  return directory === "" ? name : `${directory}/${name}`;
}

/** `Store.directories`: level by level, many directories at once, none of them kept. */
export async function walk(
  remote: RemoteDirectory,
  { at, leaves }: { readonly at: Path; readonly leaves: readonly string[] },
  signal: AbortSignal,
): Promise<readonly Directory[]> {
  const found: Directory[] = [];
  for (let level: readonly Path[] = [at]; level.length > 0; ) {
    const next: Path[] = [];
    await inLanes(level, async (path) => {
      const entries = await remote.entries(path, signal);
      if (!entries) return;
      const below = entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
      if (path !== at) {
        if (below.includes(PRIVATE)) return;
        found.push({ path, stamp: stampOf(entries) });
        if (leaves.includes(basename(path))) return;
      }
      next.push(...below.filter((name) => !name.startsWith(".")).map((name) => childOf(path, name)));
    });
    level = next;
  }
  return found;
}

/** A digest of names and sizes: of directories, few remotes tell when they changed. */
function stampOf(entries: readonly Entry[]): string {
  const lines = entries
    .filter(({ name }) => !isMarker(name))
    .map(({ name, isDirectory, size }) => `${name}\0${isDirectory ? "/" : size}`);
  return createHash("sha256").update(lines.toSorted().join("\n")).digest("base64url").slice(0, 22);
}
