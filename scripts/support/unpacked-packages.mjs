import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, mustRun, outputOf, run } from "./run.mjs";

/** Mail servers that cannot be installed beside dovecot-imapd are unpacked into node_modules/.cache instead. */
export async function ensureUnpackedServers() {
  // In the version of cyrus-common, whose libraries it uses.
  const version = await outputOf("dpkg-query", ["-W", "-f", "${Version}", "cyrus-common"]);
  if (version === undefined) throw new Error("cyrus-common is not installed");
  await ensureUnpacked("cyrus", version, [`cyrus-imapd=${version}`]);
  const libraries = ["courier-authlib", "libcourier-unicode4", "libgamin0"];
  await ensureUnpacked("courier", "1", ["courier-imap", ...libraries]);
}

/** Unpacks packages into a directory of the cache, unless it is there in this version. */
async function ensureUnpacked(name, version, packages) {
  const cache = join(ROOT, "node_modules/.cache", name);
  if ((await cachedVersion(cache)) === version) return;
  const work = `${cache}.${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    await download(work, packages);
    const debs = (await readdir(work)).filter((file) => file.endsWith(".deb"));
    if (debs.length < packages.length) throw new Error(`apt-get download left not all of ${packages.join(" ")}`);
    for (const deb of debs) {
      await mustRun("dpkg", ["-x", join(work, deb), work]);
      await rm(join(work, deb));
    }
    await writeFile(join(work, "version"), version);
    await rm(cache, { recursive: true, force: true });
    await rename(work, cache);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function download(directory, packages) {
  // As root, since apt's own user cannot write here; it is checked against the signed lists all the same.
  const args = ["download", "-q", "-o", "APT::Sandbox::User=root", ...packages];
  if ((await run("apt-get", args, { cwd: directory })) === 0) return;
  await mustRun("apt-get", ["update", "-q"]);
  await mustRun("apt-get", args, { cwd: directory });
}

async function cachedVersion(cache) {
  try {
    return await readFile(join(cache, "version"), "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}
