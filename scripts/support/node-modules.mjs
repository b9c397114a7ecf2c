import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, mustRun } from "./run.mjs";

/** Installs the packages of the lockfile when node_modules is missing or holds others. */
export async function ensureNodeModules() {
  const wanted = await packagesOf("package-lock.json");
  if (wanted === undefined) throw new Error("package-lock.json is missing");
  const installed = await packagesOf("node_modules/.package-lock.json");
  if (installed !== undefined && Object.entries(wanted).every(([path, entry]) => isThere(path, entry, installed)))
    return;
  await mustRun("npm", ["ci", "--no-audit", "--no-fund"]);
}

// Versions, not times: a checkout touches the lockfile without changing it.
function isThere(path, entry, installed) {
  // The workspaces themselves, and binaries of other platforms, are not in the installed list.
  if (!path.includes("node_modules/") || entry.optional) return true;
  return installed[path] !== undefined && installed[path].version === entry.version;
}

async function packagesOf(file) {
  try {
    return JSON.parse(await readFile(join(ROOT, file), "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}
