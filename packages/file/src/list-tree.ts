import { createHash } from "node:crypto";
import { type Listed, type LookedMirror, isSafe } from "@backup/core";
import { readManifest } from "./manifest-file.js";
import { rawOf, shown } from "./raw-path.js";

interface Part {
  files: number;
  bytes: number;
  newest: number;
  readonly digest: ReturnType<typeof createHash>;
}

/** The files directly in a tree. */
const TOP = ".";

/** What is in each directory at the top of a tree, and beside them, as the manifest says. */
export async function listTree({ store, inventory, signal }: LookedMirror): Promise<readonly Listed[]> {
  const parts = new Map<string, Part>();
  const manifest = await readManifest(store, signal);
  for await (const { path, type, size, mtime, sha256 } of manifest?.entries() ?? []) {
    const slash = path.indexOf("/");
    if (type === "dir" && slash >= 0) continue;
    const top = type === "dir" ? path : slash < 0 ? rawOf(TOP) : path.slice(0, slash);
    const part = parts.get(top) ?? {
      files: 0,
      bytes: 0,
      newest: Number.NEGATIVE_INFINITY,
      digest: createHash("sha256"),
    };
    parts.set(top, part);
    if (type === "dir") continue;
    part.files++;
    part.bytes += size;
    part.newest = Math.max(part.newest, Number(mtime / 1_000_000n));
    part.digest.update(`${path}\0${sha256 ?? ""}\n`);
  }
  const at = inventory?.finished ?? "";
  return [...parts]
    .map(([top, { files, bytes, newest, digest }]) => {
      const now = { files, bytes, digest: digest.digest("hex") };
      const name = shown(top);
      const path = isSafe(name) ? name : TOP;
      const holding = { ...now, path, name, at, items: files, gaps: [], kept: 0, stamp: "" };
      return { path, name, holding, now, newest: Number.isFinite(newest) ? newest : undefined, isDifferent: false };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
