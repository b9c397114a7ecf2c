import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A package that tests look into; no dependency, so that what it depends on is not installed. */
export interface PinnedPackage {
  /** `name@version` */
  readonly spec: string;
  /** `sha512-…`, as package-lock.json has it. */
  readonly integrity: string;
  /** What of it is kept; default all. */
  readonly only?: string;
}

/** The directory of an unpacked npm package, fetched once and kept in the user's cache. @throws Error for other bytes than pinned */
export async function npmPackage({ spec, integrity, only = "package" }: PinnedPackage): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "backup-ci");
  const directory = join(cache, spec.replaceAll(/[@/]+/g, "-").replace(/^-/, ""));
  if (await isThere(directory)) return directory;
  await mkdir(cache, { recursive: true });
  const temporary = await mkdtemp(`${directory}.`);
  try {
    const env = { ...process.env, npm_config_loglevel: "error" };
    await run("npm", ["pack", "--silent", spec, "--pack-destination", temporary], { cwd: temporary, env });
    const [name = ""] = await readdir(temporary);
    const archive = join(temporary, name);
    const bytes = await readFile(archive);
    const found = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
    if (found !== integrity) throw new Error(`${spec} is not what it was: ${found}, expected ${integrity}`);
    await run("tar", ["-xzf", archive, "-C", temporary, "--no-same-owner", only]);
    await rename(join(temporary, "package"), directory);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return directory;
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
